// Waits between attempts at what a host does not let happen yet.
// Rule: each is twice as long as the one before, to a bound, and off by chance: those who lost a host together do not come back
// together.

export class Backoff {
  readonly #minMs: number
  readonly #maxMs: number
  readonly #chance: () => number
  #wholeMs: number

  /** `chance`: a number from 0, below 1. */
  constructor(minMs: number, maxMs: number, chance: () => number = Math.random) {
    this.#minMs = minMs
    this.#maxMs = maxMs
    this.#chance = chance
    this.#wholeMs = minMs
  }

  /** The next wait, ms: from half of its length to the whole. */
  next(): number {
    const wholeMs = this.#wholeMs
    this.#wholeMs = Math.min(2 * wholeMs, this.#maxMs)
    return wholeMs * (0.5 + this.#chance() / 2)
  }

  /** What was waited for happened. */
  reset(): void {
    this.#wholeMs = this.#minMs
  }
}
