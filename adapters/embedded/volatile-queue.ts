// Queues that live in memory, as long as somebody receives from them: reply nodes and control addresses.
// Rule: bounded; what is in them when the last receiver leaves is gone. Whoever sends much without an outcome is held at the pace of
// the receiver: past the first messages that wait, each is accepted when it has been delivered.

import { AmqpError } from '../../plugin/errors.js'
import type { LinkError, Message } from '../../plugin/host.js'
import type { Attachment, ConsumerOptions } from './consumer.js'
import type { DeliveryTurns } from './delivery-turns.js'
import { Dispatch, type DispatchOwner } from './dispatch.js'
import { Entry, expiryOf, sizeOf } from './entry.js'
import { ACCEPTED, RELEASED, rejected } from './outcomes.js'
import type { OnOutcome } from './topics.js'

/** Messages that are accepted before they are delivered, as a reply is to somebody who gives credit when it was announced. */
const WAITING = 100

export interface VolatileQueueOptions {
  readonly address: string
  readonly maxBytes: number
  readonly maxUnsettled: number
  readonly turns: DeliveryTurns
  readonly now: () => number
  /** The last receiver left. */
  readonly onUnused: () => void
  readonly onBroken: (error: unknown) => void
}

export class VolatileQueue {
  readonly #options: VolatileQueueOptions
  readonly #dispatch: Dispatch
  /** of messages that wait */
  readonly #outcomes = new Map<Entry, OnOutcome>()
  #sequence = 0

  constructor(options: VolatileQueueOptions) {
    this.#options = options
    const owner: DispatchOwner = {
      idPrefix: '',
      now: options.now,
      removed: entry => this.#answer(entry),
      failed: () => undefined,
      delivered: entry => this.#answer(entry),
      ran: () => undefined,
      expecting: () => false,
      broken: options.onBroken
    }
    this.#dispatch = new Dispatch(owner, options.maxUnsettled, options.turns)
  }

  get receivers(): number {
    return this.#dispatch.consumerCount
  }

  enqueue(message: Message, onOutcome: OnOutcome): void {
    const { address, maxBytes, now } = this.#options
    if (!this.#dispatch.open && this.#dispatch.readyBytes + sizeOf(message) > maxBytes)
      return onOutcome(rejected('amqp:resource-limit-exceeded', `${address} is full: nobody reads it`))
    const entry = new Entry(this.#sequence++, message, expiryOf(message, now), false)
    const waits = this.#dispatch.readyCount >= WAITING
    if (waits) this.#outcomes.set(entry, onOutcome)
    this.#dispatch.push(entry)
    if (!waits) onOutcome(ACCEPTED)
  }

  /** Throws `amqp:resource-locked`. */
  attach(options: ConsumerOptions): Attachment {
    const { address } = this.#options
    if (this.#dispatch.locked(options)) {
      throw new AmqpError('amqp:resource-locked', `${address} has another receiver`)
    }
    const onEnded = (error: LinkError): void => {
      this.#onLeft()
      options.onEnded(error)
    }
    const consumer = this.#dispatch.attach({ ...options, onEnded })
    return {
      addCredit: credit => consumer.addCredit(credit),
      drain: () => consumer.drain(),
      detach: failed => {
        consumer.detach(failed)
        this.#onLeft()
      }
    }
  }

  #answer(entry: Entry): void {
    const onOutcome = this.#outcomes.get(entry)
    if (onOutcome === undefined) return
    this.#outcomes.delete(entry)
    onOutcome(ACCEPTED)
  }

  #onLeft(): void {
    if (this.receivers > 0) return
    this.#options.onUnused()
    const outcomes = [...this.#outcomes.values()]
    this.#outcomes.clear()
    for (const onOutcome of outcomes) onOutcome(RELEASED)
  }
}
