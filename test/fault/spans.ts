// The publications of one publisher that a subscription certainly, and possibly, is there for.
// Rule: what was sent after the SUBACK, and acknowledged before the UNSUBSCRIBE was sent, must come; what was acknowledged before the
// SUBSCRIBE was sent, or sent after the UNSUBACK, must not.

/** How far a publisher is. */
export interface Progress {
  readonly sent: number
  readonly acknowledged: number
}

interface Span {
  /** first that may come */
  readonly possibleFrom: number
  /** first that must come */
  certainFrom: number
  /** the first that need not come */
  certainTo: number
  /** the first that may not come */
  possibleTo: number
}

export class Spans {
  readonly #spans: Span[] = []

  /** A SUBSCRIBE is sent. */
  subscribing({ acknowledged }: Progress): void {
    this.#spans.push({
      possibleFrom: acknowledged,
      certainFrom: Infinity,
      certainTo: Infinity,
      possibleTo: Infinity
    })
  }

  /** SUBACK. */
  subscribed({ sent }: Progress): void {
    const last = this.#spans.at(-1)
    // whatever became of requests before that nobody answered
    for (const span of this.#spans) if (span !== last) span.possibleTo = Math.min(span.possibleTo, sent)
    if (last !== undefined) last.certainFrom = sent
  }

  /** An UNSUBSCRIBE is sent. */
  unsubscribing({ acknowledged }: Progress): void {
    for (const span of this.#spans) span.certainTo = Math.min(span.certainTo, acknowledged)
  }

  /** UNSUBACK. */
  unsubscribed({ sent }: Progress): void {
    for (const span of this.#spans) span.possibleTo = Math.min(span.possibleTo, sent)
  }

  mustCome(index: number): boolean {
    return this.#spans.some(({ certainFrom, certainTo }) => index >= certainFrom && index < certainTo)
  }

  mayCome(index: number): boolean {
    return this.#spans.some(({ possibleFrom, possibleTo }) => index >= possibleFrom && index < possibleTo)
  }
}
