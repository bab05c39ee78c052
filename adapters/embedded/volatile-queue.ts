// Queues that live in memory, as long as somebody receives from them: reply nodes and control addresses.
// Rule: bounded; what is in them when the last receiver leaves is gone.

import { AmqpError } from '../../plugin/errors.js'
import type { LinkError, Message, Outcome } from '../../plugin/host.js'
import type { Attachment, ConsumerOptions } from './consumer.js'
import { Dispatch, type DispatchOwner } from './dispatch.js'
import { Entry, expiryOf, sizeOf } from './entry.js'
import { ACCEPTED, rejected } from './outcomes.js'

export interface VolatileQueueOptions {
  readonly address: string
  readonly maxBytes: number
  readonly maxUnsettled: number
  readonly now: () => number
  /** The last receiver left. */
  readonly onUnused: () => void
  readonly onBroken: (error: unknown) => void
}

export class VolatileQueue {
  readonly #options: VolatileQueueOptions
  readonly #dispatch: Dispatch
  #sequence = 0

  constructor(options: VolatileQueueOptions) {
    this.#options = options
    const owner: DispatchOwner = {
      idPrefix: '',
      now: options.now,
      removed: () => undefined,
      failed: () => undefined,
      delivered: () => undefined,
      ran: () => undefined,
      expecting: () => false,
      broken: options.onBroken
    }
    this.#dispatch = new Dispatch(owner, options.maxUnsettled)
  }

  get receivers(): number {
    return this.#dispatch.consumerCount
  }

  enqueue(message: Message): Outcome {
    const { address, maxBytes, now } = this.#options
    if (!this.#dispatch.open && this.#dispatch.readyBytes + sizeOf(message) > maxBytes) {
      return rejected('amqp:resource-limit-exceeded', `${address} is full: nobody reads it`)
    }
    this.#dispatch.push(new Entry(this.#sequence++, message, expiryOf(message, now), false))
    return ACCEPTED
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

  #onLeft(): void {
    if (this.receivers === 0) this.#options.onUnused()
  }
}
