// The feed: every publication that is to be retained comes through one queue, in its order, and from there into the store.
// Rule: a publication leaves the queue when the store has it for good; where a write fails nothing after it counts, and all of it comes
// again. One marker at a time goes through the queue, and says that what was accepted before it is in the store.

import { randomUUID } from 'node:crypto'
import { Backoff } from '../backoff.js'
import { AmqpError, CONDITIONS } from '../errors.js'
import type { AddressSpace, AmqpConnection, Delivery, Logger, Receiver } from '../host.js'
import { encodeFeedMarker, feedMarkerOf, readRetained, RETAINED_FEED } from '../messages/retained.js'
import { Outbox } from '../outbox.js'
import type { RetainedMessages } from './retained-messages.js'

/** Writes under way at once. */
const WINDOW = 500
const MIN_DELAY_MS = 10
const MAX_DELAY_MS = 1000
const MARKER_TIMEOUT_MS = 10_000
const ACCEPTED = { type: 'accepted' } as const

export interface RetainedFeedOptions {
  readonly space: Pick<AddressSpace, 'queues' | 'routes'>
  readonly connection: AmqpConnection
  readonly messages: RetainedMessages
  readonly log: Logger
  /** ms since 1970 */
  readonly now: () => number
}

export class RetainedFeed {
  readonly #options: RetainedFeedOptions
  readonly #outbox: Outbox
  /** tells our markers from those of another service */
  readonly #name = randomUUID()
  readonly #backoff = new Backoff(MIN_DELAY_MS, MAX_DELAY_MS)
  readonly #writing = new Set<Promise<void>>()
  #receiver: Receiver | undefined
  #markers = 0
  #expected: { readonly id: string; readonly back: (came: boolean) => void } | undefined
  /** whose marker is not on its way yet */
  #waiting: Promise<void> | undefined
  #last: Promise<unknown> = Promise.resolve()
  readonly #pauses = new Set<() => void>()
  #closed = false

  constructor(options: RetainedFeedOptions) {
    this.#options = options
    this.#outbox = new Outbox(options.connection, RETAINED_FEED)
  }

  /** Makes queue and route, and takes what comes. Rejects with AmqpError: `amqp:resource-locked` while another service has it. */
  async open(): Promise<void> {
    const { queues, routes } = this.#options.space
    await queues.create(RETAINED_FEED)
    await routes.add({ filter: '#', queue: RETAINED_FEED, only: 'retained' })
    await this.#attach()
  }

  /**
   * Resolves when all is in the store that was accepted before the call, not before the feed is open. Rejects with AmqpError when it is
   * closed first.
   */
  passed(): Promise<void> {
    if (this.#waiting === undefined) {
      const waiting = this.#last.then(() => {
        this.#waiting = undefined
        return this.#mark()
      })
      this.#waiting = waiting
      this.#last = waiting.catch(() => undefined)
    }
    return this.#waiting
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#expected?.back(false)
    for (const over of this.#pauses) over()
    await this.#outbox.close()
    await this.#receiver?.close()
    await Promise.allSettled(this.#writing)
  }

  async #mark(): Promise<void> {
    const backoff = new Backoff(MIN_DELAY_MS, MAX_DELAY_MS)
    while (!this.#closed) {
      const id = `${this.#name}/${++this.#markers}`
      const back = new Promise<boolean>(resolve => (this.#expected = { id, back: resolve }))
      const { type } = await this.#outbox.send(encodeFeedMarker(id), MARKER_TIMEOUT_MS)
      if (type === 'accepted' && (await back)) return
      this.#expected = undefined
      if (!this.#isClosed()) await this.#wait(backoff.next())
    }
    throw new AmqpError(CONDITIONS.connectionForced, 'the service stops')
  }

  #isClosed(): boolean {
    return this.#closed
  }

  async #attach(): Promise<void> {
    const receiver = await this.#options.connection.openReceiver({
      address: RETAINED_FEED,
      kind: 'queue',
      window: WINDOW,
      exclusive: true,
      onDelivery: delivery => this.#onDelivery(delivery),
      onClosed: () => {
        this.#receiver = undefined
        void this.#attachAgain()
      }
    })
    if (this.#closed) await receiver.close()
    else this.#receiver = receiver
  }

  /** What was not settled comes again; none of its writes may still be under way then. */
  async #attachAgain(): Promise<void> {
    const { log } = this.#options
    this.#expected?.back(false)
    await Promise.allSettled(this.#writing)
    while (!this.#closed) {
      await this.#wait(this.#backoff.next())
      if (this.#isClosed()) return
      try {
        return await this.#attach()
      } catch (error) {
        log.warn({ err: error }, 'publications that are to be retained cannot be received: it is tried again')
      }
    }
  }

  #onDelivery(delivery: Delivery): void {
    const marker = feedMarkerOf(delivery.message)
    if (marker === undefined) return this.#store(delivery)
    delivery.settle(ACCEPTED)
    const expected = this.#expected
    if (expected?.id !== marker) return // of a service before this one, or sent again
    if (this.#writing.size === 0) return expected.back(true)
    Promise.all(this.#writing).then(
      () => expected.back(true),
      () => expected.back(false)
    )
  }

  #store(delivery: Delivery): void {
    const { messages, now, log } = this.#options
    const update = readRetained(delivery.message, now())
    if (update === undefined) {
      log.debug({ to: delivery.message.properties.to }, 'a publication without a topic was not retained')
      return delivery.settle(ACCEPTED)
    }
    const writing = messages.apply(update)
    this.#writing.add(writing)
    writing.then(
      () => {
        this.#writing.delete(writing)
        this.#backoff.reset()
        delivery.settle(ACCEPTED)
      },
      (error: unknown) => {
        this.#writing.delete(writing)
        this.#failed(error)
      }
    )
  }

  #failed(error: unknown): void {
    const receiver = this.#receiver
    if (receiver === undefined) return
    this.#receiver = undefined
    const { log } = this.#options
    log.error({ err: error }, 'a retained message could not be stored: it is tried again')
    receiver
      .close()
      .catch((closing: unknown) => log.debug({ err: closing }, 'a receiver was not closed'))
      .finally(() => void this.#attachAgain())
  }

  /** Over early when the feed is closed. */
  async #wait(ms: number): Promise<void> {
    if (this.#closed) return
    await new Promise<void>(resolve => {
      const over = (): void => {
        clearTimeout(timer)
        this.#pauses.delete(over)
        resolve()
      }
      const timer = setTimeout(over, ms)
      this.#pauses.add(over)
    })
  }
}
