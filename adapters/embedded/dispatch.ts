// Who gets which message: the part of a queue that all kinds of queues share. It knows only what is in memory.
// Rule: entries leave in order, each to one consumer that has credit, in turn; what comes back goes to its old place. A
// consumer may do anything while it is called: a run is never entered twice.

import type { LinkError, Outcome } from '../../plugin/host.js'
import { Backlog } from './backlog.js'
import { Consumer, type ConsumerOptions, type Settlement } from './consumer.js'
import { Consumers } from './consumers.js'
import type { DeliveryTurns } from './delivery-turns.js'
import { Drains } from './drains.js'
import { bySequence, sizeOf, type Entry } from './entry.js'

/** The queue that a dispatch belongs to. */
export interface DispatchOwner {
  /** what ids of deliveries start with */
  readonly idPrefix: string
  now(): number
  /** The entry is out of the queue; no outcome: it expired. */
  removed(entry: Entry, outcome: Outcome | undefined): void
  /** `entry.failures` rose. */
  failed(entry: Entry): void
  delivered(entry: Entry): void
  /** A run is over: there may be room. */
  ran(): void
  /** Entries come that need no new publication. */
  expecting(): boolean
  /** A consumer's callback threw. */
  broken(error: unknown): void
}

export class Dispatch implements Settlement {
  readonly #owner: DispatchOwner
  readonly #maxUnsettled: number
  readonly #turns: DeliveryTurns
  readonly #ready = new Backlog<Entry>()
  readonly #consumers = new Consumers()
  readonly #drains = new Drains()
  /** came back; in order, and before all of `ready` */
  #returned: Entry[] = []
  #readyBytes = 0
  #running = false
  #scheduled = false

  constructor(owner: DispatchOwner, maxUnsettled: number, turns: DeliveryTurns) {
    this.#owner = owner
    this.#maxUnsettled = maxUnsettled
    this.#turns = turns
  }

  get idPrefix(): string {
    return this.#owner.idPrefix
  }

  /** entries that were not delivered yet */
  get readyCount(): number {
    return this.#ready.length
  }

  get readyBytes(): number {
    return this.#readyBytes
  }

  get consumerCount(): number {
    return this.#consumers.count
  }

  /** nobody receives */
  get idle(): boolean {
    return this.#consumers.count === 0
  }

  /** An entry that is pushed now goes to a consumer at once. */
  get open(): boolean {
    if (this.#running || this.#ready.length > 0 || this.#returned.length > 0) return false
    return this.#consumers.ready
  }

  /** Entries that would go to consumers if they were pushed now. */
  get room(): number {
    return this.#ready.length > 0 || this.#returned.length > 0 ? 0 : this.#consumers.room
  }

  /** Deliveries that consumers can take, what waits here among them. */
  get credit(): number {
    return this.#consumers.room
  }

  /** Delivered and not settled, or come back. */
  get outstanding(): boolean {
    return this.#returned.length > 0 || this.#consumers.holding
  }

  /** A consumer with these options may not attach. */
  locked({ exclusive }: Pick<ConsumerOptions, 'exclusive'>): boolean {
    return this.#consumers.locked(exclusive === true)
  }

  attach(options: ConsumerOptions): Consumer {
    const consumer = new Consumer(this, options, this.#maxUnsettled)
    this.#consumers.add(consumer)
    this.#schedule()
    return consumer
  }

  /** Entries in order: `entry` is newer than all that were pushed before. */
  push(entry: Entry): void {
    if (!this.#running && this.#ready.length === 0 && this.#returned.length === 0) {
      if (this.#expired(entry)) return this.#remove(entry, undefined)
      const consumer = this.#consumers.pick(entry)
      if (consumer !== undefined) return this.#runWith(consumer, entry)
    }
    if (entry.size === 0) entry.size = sizeOf(entry.message)
    this.#ready.push(entry)
    this.#readyBytes += entry.size
    if (this.#returned.length > 0) this.wake()
  }

  /** Takes the newest entry out again; undefined where none waits. */
  pop(): Entry | undefined {
    const entry = this.#ready.pop()
    if (entry !== undefined) this.#readyBytes -= entry.size
    return entry
  }

  newest(): Entry | undefined {
    return this.#ready.last()
  }

  /** The lowest sequence number in memory. */
  oldest(): number | undefined {
    let oldest = this.#returned[0]?.sequence ?? this.#ready.peek()?.sequence ?? Infinity
    for (const { sequence } of this.#consumers.unsettled()) oldest = Math.min(oldest, sequence)
    return oldest === Infinity ? undefined : oldest
  }

  /** Everything in memory, in order. */
  entries(): Entry[] {
    return [...this.#consumers.unsettled(), ...this.#returned, ...this.#ready].sort(bySequence)
  }

  wake(): void {
    if (!this.#running) this.#run()
  }

  settled(consumer: Consumer, entry: Entry, outcome: Outcome): void {
    switch (outcome.type) {
      case 'accepted':
      case 'rejected':
        this.#remove(entry, outcome)
        if (this.#ready.length > 0 || this.#returned.length > 0) this.wake()
        return
      case 'modified':
        if (outcome.undeliverableHere) (entry.refusedBy ??= new WeakSet()).add(consumer)
        if (outcome.deliveryFailed) this.#fail(entry)
        break
      case 'released':
        break
      default:
        outcome satisfies never
    }
    this.#giveBack([entry])
  }

  detached(consumer: Consumer, unsettled: readonly Entry[], failed: boolean): void {
    this.#consumers.remove(consumer)
    if (failed) for (const entry of unsettled) this.#fail(entry)
    this.#giveBack(unsettled)
  }

  drained(consumer: Consumer): Promise<void> {
    return new Promise(done => {
      this.#drains.add(consumer, done)
      this.wake()
    })
  }

  /** Ends all consumers; what they hold is there for the next. */
  endConsumers(error: LinkError): void {
    this.#consumers.end(error)
  }

  /** Not at once: whoever gives back may be about to detach other links that would get it. */
  #giveBack(entries: readonly Entry[]): void {
    if (entries.length > 0) this.#returned = merged(this.#returned, entries)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.wake()
    })
  }

  #run(): void {
    this.#running = true
    let stopped = false
    try {
      while (this.#ready.length > 0 || this.#returned.length > 0) {
        stopped = !this.#turns.open
        if (stopped || !this.#step()) break
        this.#turns.take()
      }
    } finally {
      this.#running = false
    }
    this.#owner.ran()
    if (stopped) this.#turns.wait(this)
    else this.#drains.end(this.#owner.expecting())
  }

  /** The short way: nothing waits, and `consumer` can take the entry. */
  #runWith(consumer: Consumer, entry: Entry): void {
    this.#running = true
    this.#deliver(consumer, entry)
    this.#running = false
    if (this.#ready.length > 0 || this.#returned.length > 0 || this.#drains.count > 0) this.#run()
  }

  /** Takes one entry out, if one can go. */
  #step(): boolean {
    for (const [index, entry] of this.#returned.entries()) {
      const expired = this.#expired(entry)
      const consumer = expired ? undefined : this.#consumers.pick(entry)
      if (consumer === undefined && !expired) {
        if (entry.refusedBy === undefined) return false
        continue // others may go on where this one may not
      }
      this.#returned.splice(index, 1)
      this.#hand(consumer, entry)
      return true
    }
    const entry = this.#ready.peek()
    if (entry === undefined) return false
    const expired = this.#expired(entry)
    const consumer = expired ? undefined : this.#consumers.pick(entry)
    if (consumer === undefined && !expired) return false
    this.#ready.shift()
    this.#readyBytes -= entry.size
    this.#hand(consumer, entry)
    return true
  }

  #hand(consumer: Consumer | undefined, entry: Entry): void {
    if (consumer === undefined) this.#remove(entry, undefined)
    else this.#deliver(consumer, entry)
  }

  #deliver(consumer: Consumer, entry: Entry): void {
    this.#owner.delivered(entry)
    try {
      consumer.deliver(entry)
    } catch (error) {
      this.#owner.broken(error)
      consumer.end({ condition: 'amqp:internal-error', description: 'the receiver failed' })
    }
  }

  #expired(entry: Entry): boolean {
    return entry.expiresAt !== Infinity && entry.expiresAt <= this.#owner.now()
  }

  #remove(entry: Entry, outcome: Outcome | undefined): void {
    entry.gone = true
    this.#owner.removed(entry, outcome)
  }

  #fail(entry: Entry): void {
    entry.failures++
    this.#owner.failed(entry)
  }
}

function merged(a: readonly Entry[], b: readonly Entry[]): Entry[] {
  const [last] = a.slice(-1)
  const [first] = b
  const all = [...a, ...b]
  return last !== undefined && first !== undefined && last.sequence > first.sequence
    ? all.sort(bySequence)
    : all
}
