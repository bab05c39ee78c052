// One receiver on a queue, as the queue sees it: its credit and what it has not settled.
// Rule: a delivery is settled once; whoever detaches gives back what it holds, in order.

import type { LinkError, Message, Outcome } from '../../plugin/host.js'
import type { CoreDelivery } from '../rhea/listener/bridge.js'
import { bySequence, type Entry } from './entry.js'

export interface ConsumerOptions {
  /** as ReceiverOptions.window */
  readonly window: number
  readonly exclusive?: boolean | undefined
  readonly browse?: boolean | undefined
  readonly onDelivery: (delivery: CoreDelivery) => void
  /** The queue ended it. */
  readonly onEnded: (error: LinkError) => void
}

/** What a link holds on to, whatever it receives from. */
export interface Attachment {
  /** Less than 0 takes credit back. */
  addCredit(credit: number): void
  /** As Receiver.drain. */
  drain(): Promise<void>
  /** `failed`: what is not settled counts as delivered in vain. */
  detach(failed: boolean): void
}

/** What a consumer needs of its queue. */
export interface Settlement {
  readonly idPrefix: string
  settled(consumer: Consumer, entry: Entry, outcome: Outcome): void
  detached(consumer: Consumer, unsettled: readonly Entry[], failed: boolean): void
  /** Resolves when nothing can be delivered to the consumer; its credit is 0 then. */
  drained(consumer: Consumer): Promise<void>
  /** The consumer has credit that it did not have. */
  wake(): void
}

export class Consumer implements Attachment {
  readonly exclusive: boolean
  readonly #queue: Settlement
  readonly #window: number
  readonly #onDelivery: (delivery: CoreDelivery) => void
  readonly #onEnded: (error: LinkError) => void
  readonly #maxUnsettled: number
  /** while the receiver is told of it; most are settled then, and never come into the set */
  #delivering: QueueDelivery | undefined
  #unsettled: Set<QueueDelivery> | undefined
  #attached = true
  credit: number

  constructor(queue: Settlement, options: ConsumerOptions, maxUnsettled: number) {
    this.#queue = queue
    this.#window = options.window
    this.credit = options.window
    this.exclusive = options.exclusive === true
    this.#onDelivery = options.onDelivery
    this.#onEnded = options.onEnded
    this.#maxUnsettled = maxUnsettled
  }

  get idPrefix(): string {
    return this.#queue.idPrefix
  }

  get ready(): boolean {
    return this.credit > 0 && this.unsettledCount < this.#maxUnsettled
  }

  /** deliveries that it can take */
  get room(): number {
    return Math.max(0, Math.min(this.credit, this.#maxUnsettled - this.unsettledCount))
  }

  get unsettledCount(): number {
    return (this.#unsettled?.size ?? 0) + (this.#delivering === undefined ? 0 : 1)
  }

  *unsettled(): IterableIterator<Entry> {
    for (const delivery of this.#unsettled ?? []) yield delivery.entry
    if (this.#delivering !== undefined) yield this.#delivering.entry
  }

  /** One at a time: not while another one is being delivered to this consumer. */
  deliver(entry: Entry): void {
    this.credit--
    this.#delivering = new QueueDelivery(this, entry)
    try {
      this.#onDelivery(this.#delivering)
    } finally {
      if (this.#delivering !== undefined) (this.#unsettled ??= new Set()).add(this.#delivering)
      this.#delivering = undefined
    }
  }

  settled(delivery: QueueDelivery, outcome: Outcome): void {
    if (delivery === this.#delivering) this.#delivering = undefined
    else if (this.#unsettled?.delete(delivery) !== true) return
    if (this.#window > 0) this.credit++
    this.#queue.settled(this, delivery.entry, outcome)
  }

  addCredit(credit: number): void {
    this.credit = Math.max(0, this.credit + credit)
    if (credit > 0) this.#queue.wake()
  }

  drain(): Promise<void> {
    return this.#queue.drained(this)
  }

  detach(failed: boolean): void {
    if (!this.#attached) return
    this.#attached = false
    this.credit = 0
    const unsettled = [...this.unsettled()].sort(bySequence)
    this.#unsettled = undefined
    this.#delivering = undefined
    this.#queue.detached(this, unsettled, failed)
  }

  end(error: LinkError): void {
    if (!this.#attached) return
    this.detach(false)
    this.#onEnded(error)
  }
}

export class QueueDelivery implements CoreDelivery {
  readonly #consumer: Consumer
  readonly entry: Entry

  constructor(consumer: Consumer, entry: Entry) {
    this.#consumer = consumer
    this.entry = entry
  }

  get message(): Message {
    return this.entry.message
  }

  get id(): string {
    return `${this.#consumer.idPrefix}${this.entry.sequence}`
  }

  get deliveryCount(): number {
    return this.entry.message.deliveryCount + this.entry.failures
  }

  remainingMs(now: number): number | undefined {
    return remainingOf(this.entry, now)
  }

  settle(outcome: Outcome): void {
    this.#consumer.settled(this, outcome)
  }
}

export function remainingOf({ expiresAt }: Entry, now: number): number | undefined {
  return expiresAt === Infinity ? undefined : Math.max(0, expiresAt - now)
}
