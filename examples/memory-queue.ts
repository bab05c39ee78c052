// A queue in memory: what waits, and who takes it.
// Rule: order is kept; what a taker did not settle goes back to where it was.

import type { Delivery, Message, Outcome, QueueLimits } from '../plugin/host.js'

interface Entry {
  readonly message: Message
  readonly id: string
  failures: number
}

/** Who takes: `window` deliveries at once; 0: as many as it gives credit for. */
export class Taker {
  readonly unsettled = new Set<Entry>()
  readonly window: number
  readonly onDelivery: (delivery: Delivery) => void
  readonly onDeleted: (() => void) | undefined
  credit: number

  /** `onDeleted`: what it takes from is gone, or it was told to leave. */
  constructor(window: number, onDelivery: (delivery: Delivery) => void, onDeleted?: () => void) {
    this.window = this.credit = window
    this.onDelivery = onDelivery
    this.onDeleted = onDeleted
  }
}

export class MemoryQueue {
  readonly #waiting: Entry[] = []
  readonly #takers = new Set<Taker>()
  #ids = 0
  limits: QueueLimits | undefined
  /** what `limits` kept out */
  dropped = 0
  #onEmpty: (() => void) | undefined

  get unattended(): boolean {
    return this.#takers.size === 0
  }

  push(message: Message): void {
    if (this.limits !== undefined && this.#isFull(this.limits, message)) {
      this.dropped += 1
      return
    }
    this.#waiting.push({ message, id: String(++this.#ids), failures: 0 })
    queueMicrotask(() => this.flush())
  }

  take(taker: Taker): void {
    this.#takers.add(taker)
    this.flush()
  }

  /** What the taker has not settled is there for the next. */
  leave(taker: Taker): void {
    this.#takers.delete(taker)
    this.#waiting.unshift(...taker.unsettled)
    taker.unsettled.clear()
    this.flush()
  }

  closeTakers(): void {
    for (const taker of this.#takers) taker.onDeleted?.()
  }

  /** Resolves when nothing waits. */
  empty(): Promise<void> {
    return new Promise(resolve => {
      this.#onEmpty = resolve
      this.flush()
    })
  }

  flush(): void {
    for (const taker of this.#takers) {
      while (taker.credit > 0) {
        const entry = this.#waiting.shift()
        if (entry === undefined) return this.#onEmpty?.()
        this.#deliver(entry, taker)
      }
    }
    if (this.#waiting.length === 0) this.#onEmpty?.()
  }

  #isFull({ maxMessages, maxBytes }: QueueLimits, message: Message): boolean {
    const held = [...this.#waiting, ...[...this.#takers].flatMap(({ unsettled }) => [...unsettled])]
    const bytes = held.reduce((sum, entry) => sum + bytesOf(entry.message), bytesOf(message))
    return held.length >= maxMessages || bytes > maxBytes
  }

  #deliver(entry: Entry, taker: Taker): void {
    taker.credit -= 1
    taker.unsettled.add(entry)
    const { message, id, failures } = entry
    const settle = (outcome: Outcome): void => this.#settle(entry, taker, outcome)
    taker.onDelivery({ message, id, deliveryCount: message.deliveryCount + failures, settle })
  }

  #settle(entry: Entry, taker: Taker, outcome: Outcome): void {
    if (!taker.unsettled.delete(entry)) return
    if (outcome.type === 'modified' && outcome.deliveryFailed) entry.failures += 1
    if (outcome.type === 'modified' || outcome.type === 'released') this.#waiting.unshift(entry)
    if (taker.window > 0) taker.credit += 1
    this.flush()
  }
}

const bytesOf = ({ body }: Message): number =>
  body.type === 'data' ? body.sections.reduce((sum, section) => sum + section.length, 0) : 0
