// A subscription to topics that dies with its holder: a receiver's link, or a source of the gateway's inbox.
// Rule: it stalls nobody. What its holder does not take waits here up to a bound; past it non-durable messages are dropped
// and counted, and a durable one ends the subscription.

import type { LinkError, Logger, Message } from '../../plugin/host.js'
import type { Attachment, Consumer, ConsumerOptions } from './consumer.js'
import type { DeliveryTurns } from './delivery-turns.js'
import { Dispatch, type DispatchOwner } from './dispatch.js'
import { Entry, sizeOf } from './entry.js'

export interface SubscriptionOptions {
  readonly filter: string
  /** messages carry the address that they were published to where nothing else says it */
  readonly annotated: boolean
  /** for the log */
  readonly name: string
  readonly maxBytes: number
  readonly maxUnsettled: number
  readonly turns: DeliveryTurns
  readonly now: () => number
  readonly log: Logger
  /** It is over: no more messages. */
  readonly onEnded: () => void
}

export class Subscription implements Attachment, DispatchOwner {
  readonly idPrefix = ''
  readonly filter: string
  readonly annotated: boolean
  /** the last publication that it was matched with (topics.ts) */
  mark = 0
  readonly #options: SubscriptionOptions
  readonly #dispatch: Dispatch
  readonly #consumer: Consumer
  #sequence = 0
  #dropped = 0
  #ended = false
  #emptied: (() => void) | undefined

  constructor(options: SubscriptionOptions, consumer: ConsumerOptions) {
    this.filter = options.filter
    this.annotated = options.annotated
    this.#options = options
    this.#dispatch = new Dispatch(this, options.maxUnsettled, options.turns)
    const onEnded = (error: LinkError): void => {
      this.#end()
      this.ran()
      consumer.onEnded(error)
    }
    this.#consumer = this.#dispatch.attach({ ...consumer, onEnded })
  }

  take(message: Message, expiresAt: number): void {
    if (this.#ended) return
    const dispatch = this.#dispatch
    if (!dispatch.open && dispatch.readyBytes + sizeOf(message) > this.#options.maxBytes) {
      return this.#overflow(message)
    }
    dispatch.push(new Entry(this.#sequence++, message, expiresAt, false))
  }

  addCredit(credit: number): void {
    this.#consumer.addCredit(credit)
  }

  drain(): Promise<void> {
    return this.#consumer.drain()
  }

  detach(failed: boolean): void {
    this.#end()
    this.#consumer.detach(failed)
    this.ran()
  }

  end(error: LinkError): void {
    this.#consumer.end(error)
  }

  /** Takes no more; resolves when all that was taken has been delivered. */
  async finish(): Promise<void> {
    this.#end()
    if (this.#waiting) await new Promise<void>(resolve => (this.#emptied = resolve))
    this.#consumer.detach(false)
  }

  now(): number {
    return this.#options.now()
  }

  removed(): void {}

  failed(): void {}

  delivered(): void {}

  ran(): void {
    if (this.#emptied === undefined || this.#waiting) return
    this.#emptied()
    this.#emptied = undefined
  }

  expecting(): boolean {
    return false
  }

  broken(error: unknown): void {
    const { log, name, filter } = this.#options
    log.error({ err: error, name, filter }, 'the receiver of a subscription failed')
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#options.onEnded()
  }

  get #waiting(): boolean {
    return this.#dispatch.readyCount > 0 && !this.#dispatch.idle
  }

  #overflow(message: Message): void {
    const { filter, name, log, maxBytes } = this.#options
    if (message.durable) {
      log.warn(
        { filter, name, maxBytes },
        'a subscription ended: its receiver is too slow for durable messages'
      )
      const description = `${maxBytes} bytes wait for this receiver`
      return this.end({ condition: 'amqp:resource-limit-exceeded', description })
    }
    this.#dropped++
    // the first, the tenth, the hundredth...
    if (!/^10*$/.test(String(this.#dropped))) return
    log.warn(
      { filter, name, dropped: this.#dropped },
      'messages dropped: the receiver of a subscription is too slow'
    )
  }
}
