// How much is in a durable queue: messages and their bytes, for its bounds.
// Rule: what came since the start is always known. What was there before is known where the store says so (queue-state.ts), and else
// counted when somebody asks, off the way of publications, once, from one snapshot of the store while the queue goes on.

import type { Message, QueueLimits } from '../../plugin/host.js'
import { bytesOf } from './entry.js'
import type { EntryLog } from './entry-log.js'
import type { QueueState, Stock } from './queue-state.js'

/** What is counted so far of what was there at the start. */
interface Count extends Stock {
  /** everything up to here is counted */
  position: number
  /** removed before they were counted */
  readonly removed: Set<number>
}

export class QueueStock {
  readonly #entries: EntryLog
  readonly #queue: number
  /** entries from here to `#last` were there at the start */
  readonly #first: number
  readonly #last: number
  /** what came since the start, and what was there where that is known */
  readonly #stock: Stock
  #known: boolean
  #count: Count | undefined
  #stopped = false

  constructor(entries: EntryLog, queue: number, state: QueueState) {
    this.#entries = entries
    this.#queue = queue
    this.#first = state.head
    this.#last = state.last
    const { stock } = state
    this.#known = stock !== undefined
    this.#stock = { messages: stock?.messages ?? 0, bytes: stock?.bytes ?? 0 }
  }

  /** Undefined as long as it is not known. */
  get stock(): Stock | undefined {
    return this.#known ? { ...this.#stock } : undefined
  }

  add(message: Message): void {
    this.#stock.messages++
    this.#stock.bytes += bytesOf(message)
  }

  remove(sequence: number, message: Message): void {
    let from = this.#stock
    if (!this.#known && sequence <= this.#last) {
      if (this.#count === undefined) return // the snapshot will not have it
      if (sequence > this.#count.position) return void this.#count.removed.add(sequence)
      from = this.#count
    }
    from.messages--
    from.bytes -= bytesOf(message)
  }

  /** One message of `bytes` more is over the limits, for all that is known. Has counted what is not. */
  isFull({ maxMessages, maxBytes }: QueueLimits, bytes: number): boolean {
    if (!this.#known && this.#count === undefined) void this.#countOn()
    const { messages, bytes: counted } = this.#count ?? { messages: 0, bytes: 0 }
    return this.#stock.messages + messages + 1 > maxMessages || this.#stock.bytes + counted + bytes > maxBytes
  }

  /** Nothing is counted any more. */
  stop(): void {
    this.#stopped = true
  }

  async #countOn(): Promise<void> {
    const count: Count = { messages: 0, bytes: 0, position: 0, removed: new Set() }
    this.#count = count
    const done = await this.#entries.count(this.#queue, this.#first, this.#last, (sequence, bytes) => {
      if (!count.removed.delete(sequence)) {
        count.messages++
        count.bytes += bytes
      }
      count.position = sequence
      return !this.#stopped
    })
    if (!done || this.#stopped) return // closed, or cannot be read: no more is known than what came since
    this.#stock.messages += count.messages
    this.#stock.bytes += count.bytes
    this.#known = true
    this.#count = undefined
  }
}
