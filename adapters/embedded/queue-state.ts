// What a durable queue remembers of itself beside its messages: which sequence numbers are used, consumed and delivered.
// Rule: a sequence number is never used twice, whatever happens; after a crash, what may have been delivered counts as delivered.

import { stateKey } from './keys.js'
import type { Store, Touched } from './store.js'

/** Sequence numbers that are set aside with one write. */
const RESERVE = 10_000
/** head, reserved, delivered */
const BYTES = 24
/** and when the space was closed: messages, bytes, and the number of the store's last batch */
const CLOSED_BYTES = 48

/** What is in a queue. */
export interface Stock {
  messages: number
  bytes: number
}

export interface QueueStateOwner {
  readonly id: number
  /** all entries below are gone */
  head(): number
  /** something was delivered and is not settled */
  outstanding(): boolean
}

export class QueueState implements Touched {
  readonly #store: Store
  readonly #owner: QueueStateOwner
  /** removals before `head` is asked and written again */
  readonly #headLag: number
  /** numbers below are used, or may be */
  #reserved: number
  #next: number
  #head: number
  #removed = 0
  /** highest number that was delivered, or will be when it is written */
  #delivered: number
  #expecting = false
  /** the same, as the store has it */
  #written: number
  /** highest number that a process delivered that ended without closing the queue */
  readonly crashedAt: number
  /** what is in the queue; undefined: the process before did not close it, and nobody knows */
  readonly stock: Stock | undefined

  /** `value`: what the store has; undefined for a new queue. */
  constructor(owner: QueueStateOwner, store: Store, headLag: number, value: Buffer | undefined) {
    this.#owner = owner
    this.#store = store
    this.#headLag = headLag
    this.#head = value?.readDoubleBE(0) ?? 1
    this.#reserved = value?.readDoubleBE(8) ?? 1
    this.crashedAt = value?.readDoubleBE(16) ?? 0
    this.#next = this.#reserved
    this.#delivered = this.crashedAt
    this.#written = this.crashedAt
    this.stock = this.#head === this.#reserved ? { messages: 0, bytes: 0 } : stockOf(value, store.former)
  }

  /** where reading starts */
  get head(): number {
    return this.#head
  }

  /** the last number that was given */
  get last(): number {
    return this.#next - 1
  }

  /** The next number. What is put for it is put after this. */
  take(): number {
    if (this.#next === this.#reserved) {
      this.#reserved += RESERVE
      this.#write(this.#delivered)
    }
    return this.#next++
  }

  onDelivered(sequence: number): void {
    if (sequence <= this.#delivered) return
    this.#delivered = sequence
    this.#store.touch(this)
  }

  /** The entry goes to a receiver as soon as the present batch is written: the batch says that it was delivered. */
  expect(sequence: number): void {
    this.#expecting = true
    this.onDelivered(sequence)
  }

  /** Called after what was removed is deleted in the store. */
  onRemoved(): void {
    if (++this.#removed < this.#headLag) return
    this.#removed = 0
    this.#head = this.#owner.head()
    this.#write(this.#delivered)
  }

  beforeWrite(): void {
    if (this.#delivered > this.#written && (this.#expecting || this.#owner.outstanding())) {
      this.#write(this.#delivered)
    }
    this.#expecting = false
  }

  /**
   * The process ends in order, with this batch: what was delivered and comes back was not delivered in vain. `stock`: what is in the
   * queue, where that is known.
   */
  close(stock: Stock | undefined): void {
    if (stock !== undefined) this.#write(this.crashedAt, stock)
    else if (this.#written > this.crashedAt) this.#write(this.crashedAt)
  }

  #write(delivered: number, stock?: Stock): void {
    const value = Buffer.allocUnsafe(stock === undefined ? BYTES : CLOSED_BYTES)
    if (stock !== undefined) {
      value.writeDoubleBE(stock.messages, 24)
      value.writeDoubleBE(stock.bytes, 32)
      value.writeDoubleBE(this.#store.former + this.#store.batch, 40)
    }
    value.writeDoubleBE(this.#head, 0)
    value.writeDoubleBE(this.#reserved, 8)
    value.writeDoubleBE(delivered, 16)
    this.#written = delivered
    this.#store.put(stateKey(this.#owner.id), value)
  }
}

/** Good only where nothing was written after it. */
function stockOf(value: Buffer | undefined, lastBatch: number): Stock | undefined {
  if (value?.length !== CLOSED_BYTES || value.readDoubleBE(40) !== lastBatch) return undefined
  return { messages: value.readDoubleBE(24), bytes: value.readDoubleBE(32) }
}
