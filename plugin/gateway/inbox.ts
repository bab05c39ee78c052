// The inbox: one source per distinct topic filter for all sessions that die with their connection, fanned out here.
// Rule: a client gets each publication once, from its oldest matching filter, at the highest QoS of all that match; the source's
// delivery ends when the publication is in the clients' buffers.

import { Backoff } from '../backoff.js'
import { CONDITIONS } from '../errors.js'
import type { AddressSpace, Delivery, LinkClosed, Logger, Source } from '../host.js'
import { decodePublication } from '../messages/publish.js'
import type { Publication } from '../messages/publication.js'
import type { Qos } from '../mqtt/packets.js'
import { isWildcard } from '../mqtt/topic.js'
import { isGone } from '../service-connection.js'
import { GrantedFilters } from './granted-filters.js'
import type { LiveTopics } from './live-topics.js'

/** One client of the inbox. */
export interface InboxClient {
  /** False: it was dropped. `settle`: of what comes at the client's pace alone; called once when the client has taken it. */
  deliver(publication: Publication, grantedQos: Qos, settle?: () => void): boolean
  /** messages of a subscription with QoS > 0 were lost with their source */
  sourceLost(filter: string): void
}

/** Unsettled deliveries of one source; they are settled as they come. */
const WINDOW = 1000
/** ms between attempts to open a source again while the host is gone */
const MIN_DELAY_MS = 20
const MAX_DELAY_MS = 1000
const ACCEPTED = { type: 'accepted' } as const

/** A source and the clients that share it. */
interface Feed {
  readonly filter: string
  readonly exact: boolean
  readonly members: Map<InboxClient, GrantedFilters>
  source: Promise<Source>
}

export class Inbox {
  readonly delivery = 'inbox'
  readonly #space: AddressSpace
  readonly #log: Logger
  readonly #feeds = new Map<string, Feed>()
  readonly #clients = new Map<InboxClient, GrantedFilters>()
  /** of clients that want to know which topics come */
  readonly #watched = new Map<InboxClient, LiveTopics>()

  constructor(space: AddressSpace, log: Logger) {
    this.#space = space
    this.#log = log
  }

  get sourceCount(): number {
    return this.#feeds.size
  }

  filtersOf(client: InboxClient): number {
    return this.#clients.get(client)?.filters.size ?? 0
  }

  /** Topic filter → granted QoS. */
  grantedTo(client: InboxClient): ReadonlyMap<string, Qos> {
    const filters = this.#clients.get(client)?.filters ?? []
    return new Map([...filters].map(([filter, { qos }]) => [filter, qos]))
  }

  /** The highest granted QoS of the client's filters that match; undefined: none does. */
  qosFor(client: InboxClient, topic: string): Qos | undefined {
    return this.#clients.get(client)?.granted(topic)
  }

  /** What comes to the client from now on is written down in `live`. */
  watch(client: InboxClient, live: LiveTopics): void {
    this.#watched.set(client, live)
  }

  unwatch(client: InboxClient): void {
    this.#watched.delete(client)
  }

  /** Resolves when the next publication that matches comes. Rejects with AmqpError where the host refuses the source. */
  async subscribe(client: InboxClient, filter: string, qos: Qos): Promise<void> {
    const membership = this.#membership(client)
    const feed = this.#feeds.get(filter) ?? this.#open(filter)
    membership.set(filter, qos)
    feed.members.set(client, membership)
    try {
      await feed.source
    } catch (error) {
      this.#leave(client, membership, filter)
      throw error
    }
  }

  /** The client is subscribed to this filter. */
  has(client: InboxClient, filter: string): boolean {
    return this.#clients.get(client)?.filters.has(filter) === true
  }

  /** Changes the QoS of a filter that the client is subscribed to; nothing happens where it is not. */
  grant(client: InboxClient, filter: string, qos: Qos): void {
    const entry = this.#clients.get(client)?.filters.get(filter)
    if (entry !== undefined) entry.qos = qos
  }

  /** Nothing comes for this filter alone any more. */
  unsubscribe(client: InboxClient, filter: string): void {
    const membership = this.#clients.get(client)
    if (membership !== undefined) this.#leave(client, membership, filter)
  }

  /** Forgets the client. */
  remove(client: InboxClient): void {
    const membership = this.#clients.get(client)
    if (membership === undefined) return
    for (const filter of [...membership.filters.keys()]) this.#leave(client, membership, filter)
    this.#clients.delete(client)
  }

  #membership(client: InboxClient): GrantedFilters {
    let membership = this.#clients.get(client)
    if (membership === undefined) this.#clients.set(client, (membership = new GrantedFilters()))
    return membership
  }

  #open(filter: string): Feed {
    const feed: Feed = {
      filter,
      exact: !isWildcard(filter),
      members: new Map(),
      source: this.#source(filter)
    }
    this.#feeds.set(filter, feed)
    return feed
  }

  #source(filter: string): Promise<Source> {
    return this.#space.source(filter, {
      window: WINDOW,
      onDelivery: delivery => this.#fanOut(filter, delivery),
      onClosed: closed => this.#lost(filter, closed)
    })
  }

  #leave(client: InboxClient, membership: GrantedFilters, filter: string): void {
    membership.delete(filter)
    const feed = this.#feeds.get(filter)
    if (feed === undefined || !feed.members.delete(client) || feed.members.size > 0) return
    this.#feeds.delete(filter)
    // a refused source has nothing to close, and a source that fails to close is gone as well
    feed.source
      .then(source => source.close())
      .catch((error: unknown) => this.#log.debug({ filter, err: error }, 'a source was not closed'))
  }

  #fanOut(filter: string, delivery: Delivery): void {
    const feed = this.#feeds.get(filter)
    if (feed !== undefined) {
      const { message, deliveryCount } = delivery
      const publication = decodePublication(message, { address: filter, exact: feed.exact, deliveryCount })
      for (const [client, membership] of feed.members) {
        const qos = membership.grantedBy(filter, publication.topic)
        if (qos === undefined) continue
        const taken = client.deliver(publication, qos)
        if (taken && this.#watched.size > 0) this.#watched.get(client)?.add(publication.topic)
      }
    }
    delivery.settle(ACCEPTED)
  }

  /** What was in the source is lost: QoS > 0 must know it, the others get a new source. */
  #lost(filter: string, { error }: LinkClosed): void {
    const feed = this.#feeds.get(filter)
    if (feed === undefined) return
    const { condition } = error ?? { condition: CONDITIONS.detachForced }
    // a host that is gone is told of once, and not for each filter
    this.#log[condition === CONDITIONS.connectionForced ? 'debug' : 'warn'](
      { filter, condition },
      'the host closed a source of the inbox'
    )
    for (const [client, membership] of [...feed.members]) {
      if ((membership.filters.get(filter)?.qos ?? 0) > 0) client.sourceLost(filter)
    }
    if (!this.#feeds.has(filter)) return
    feed.source = this.#openAgain(feed)
    feed.source.catch(() => {
      for (const client of [...feed.members.keys()]) client.sourceLost(filter)
    })
  }

  /** A host that is gone is asked again, as long as somebody wants what the source gives. */
  async #openAgain(feed: Feed): Promise<Source> {
    const backoff = new Backoff(MIN_DELAY_MS, MAX_DELAY_MS)
    for (;;) {
      try {
        return await this.#source(feed.filter)
      } catch (error) {
        if (!isGone(error) || this.#feeds.get(feed.filter) !== feed) throw error
        await new Promise(resolve => setTimeout(resolve, backoff.next()))
      }
    }
  }
}
