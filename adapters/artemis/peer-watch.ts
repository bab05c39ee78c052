// Who of those that links go to is still there: the broker tells when somebody stops to receive from an inbox.
// Rule: a peer is gone when its inbox has no consumer. When the broker's notifications were missed for a while, it is asked about each.

import { Backoff } from '../../plugin/backoff.js'
import type { AmqpConnection, Delivery } from '../../plugin/host.js'
import type { ClientReceiverOptions } from '../rhea/client-session.js'
import type { Broker } from './broker.js'
import { INBOX } from './names.js'

const NOTIFICATIONS = 'activemq.notifications'
const SELECTOR = `_AMQ_NotifType = 'CONSUMER_CLOSED' AND _AMQ_RoutingName LIKE '${INBOX}%'`
const WINDOW = 1000
const MIN_DELAY_MS = 50
const MAX_DELAY_MS = 2000

interface WatchConnection {
  openReceiver(options: ClientReceiverOptions): ReturnType<AmqpConnection['openReceiver']>
  close(): Promise<void>
}

export class PeerWatch {
  readonly #broker: Broker
  readonly #connect: () => Promise<WatchConnection>
  readonly #backoff = new Backoff(MIN_DELAY_MS, MAX_DELAY_MS)
  readonly #watched = new Map<string, Set<() => void>>()
  #opening: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(broker: Broker, connect: () => Promise<WatchConnection>) {
    this.#broker = broker
    this.#connect = connect
  }

  /** Resolves when nobody's end is missed any more. */
  ready(): Promise<void> {
    if (this.#opening !== undefined) return this.#opening
    const opening = this.#open()
    this.#opening = opening
    opening.catch(() => {
      if (this.#opening === opening) this.#opening = undefined
    })
    return opening
  }

  /** `onGone` is called once, unless the function that this gives was called before. Call ready() first. */
  watch(inbox: string, onGone: () => void): () => void {
    const watchers = this.#watched.get(inbox) ?? new Set()
    this.#watched.set(inbox, watchers)
    watchers.add(onGone)
    void this.#look(inbox) // it may have gone before
    return () => {
      watchers.delete(onGone)
      if (watchers.size === 0 && this.#watched.get(inbox) === watchers) this.#watched.delete(inbox)
    }
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#watched.clear()
  }

  async #open(): Promise<void> {
    const connection = await this.#connect()
    try {
      await connection.openReceiver({
        address: NOTIFICATIONS,
        kind: 'topic',
        window: WINDOW,
        selector: SELECTOR,
        onDelivery: delivery => this.#told(delivery),
        onClosed: () => {
          void connection.close()
          this.#opening = undefined
          this.#openLater()
        }
      })
    } catch (error) {
      await connection.close()
      throw error
    }
    this.#backoff.reset()
  }

  #openLater(): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.ready().then(
        () => {
          for (const inbox of [...this.#watched.keys()]) void this.#look(inbox)
        },
        () => this.#openLater()
      )
    }, this.#backoff.next())
  }

  #told({ message, settle }: Delivery): void {
    settle({ type: 'accepted' })
    const inbox = message.applicationProperties.get('_AMQ_RoutingName')
    if (typeof inbox === 'string') this.#gone(inbox)
  }

  async #look(inbox: string): Promise<void> {
    const count = await this.#broker.consumerCount(inbox).catch(() => null)
    if (count === null) return // the broker does not answer, and will be asked again
    if (count === undefined || count === 0) this.#gone(inbox)
  }

  #gone(inbox: string): void {
    const watchers = this.#watched.get(inbox)
    this.#watched.delete(inbox)
    for (const onGone of watchers ?? []) onGone()
  }
}
