// The inbox: one source per distinct topic filter for all sessions that die with their connection, fanned out here.
// Rule: a client gets each publication once, from its oldest matching filter, at the highest QoS of all that match; the source's
// delivery ends when the publication is in the clients' buffers.

import { CONDITIONS } from '../errors.js'
import type { AddressSpace, Delivery, LinkClosed, Logger, Source } from '../host.js'
import { decodePublication } from '../messages/publish.js'
import type { Publication } from '../messages/publication.js'
import type { Qos } from '../mqtt/packets.js'
import { isWildcard, matches } from '../mqtt/topic.js'
import { TopicTree } from '../mqtt/topic-tree.js'

/** One client of the inbox. */
export interface InboxClient {
  deliver(publication: Publication, grantedQos: Qos): void
  /** messages of a subscription with QoS > 0 were lost with their source */
  sourceLost(filter: string): void
}

/** Unsettled deliveries of one source; they are settled as they come. */
const WINDOW = 1000
/** With more filters than this a client's own are looked up in a tree. */
const LINEAR_FILTERS = 8
const ACCEPTED = { type: 'accepted' } as const

/** What one client is subscribed to, oldest first. */
class Membership {
  readonly filters = new Map<string, { qos: Qos; readonly order: number }>()
  #tree: TopicTree<string> | undefined
  #order = 0

  set(filter: string, qos: Qos): void {
    const known = this.filters.get(filter)
    if (known !== undefined) {
      known.qos = qos
      return
    }
    this.filters.set(filter, { qos, order: this.#order++ })
    this.#tree?.add(filter, filter)
  }

  delete(filter: string): void {
    this.filters.delete(filter)
    this.#tree?.remove(filter, filter)
  }

  /** The highest granted QoS if `filter` is the oldest that matches `topic`, else undefined. */
  grantedBy(filter: string, topic: string): Qos | undefined {
    const own = this.filters.get(filter)
    if (own === undefined) return undefined
    if (this.filters.size === 1) return own.qos
    let { qos } = own
    let oldest = true
    const visit = (other: string): void => {
      const entry = this.filters.get(other)
      if (entry === undefined) return
      if (entry.order < own.order) oldest = false
      if (entry.qos > qos) qos = entry.qos
    }
    if (this.filters.size <= LINEAR_FILTERS) {
      for (const other of this.filters.keys()) if (matches(other, topic)) visit(other)
    } else {
      this.#tree ??= this.#plant()
      this.#tree.match(topic, visit)
    }
    return oldest ? qos : undefined
  }

  #plant(): TopicTree<string> {
    const tree = new TopicTree<string>()
    for (const filter of this.filters.keys()) tree.add(filter, filter)
    return tree
  }
}

/** A source and the clients that share it. */
interface Feed {
  readonly filter: string
  readonly exact: boolean
  readonly members: Map<InboxClient, Membership>
  source: Promise<Source>
}

export class Inbox {
  readonly #space: AddressSpace
  readonly #log: Logger
  readonly #feeds = new Map<string, Feed>()
  readonly #clients = new Map<InboxClient, Membership>()

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

  #membership(client: InboxClient): Membership {
    let membership = this.#clients.get(client)
    if (membership === undefined) this.#clients.set(client, (membership = new Membership()))
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

  #leave(client: InboxClient, membership: Membership, filter: string): void {
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
        if (qos !== undefined) client.deliver(publication, qos)
      }
    }
    delivery.settle(ACCEPTED)
  }

  /** What was in the source is lost: QoS > 0 must know it, the others get a new source. */
  #lost(filter: string, { error }: LinkClosed): void {
    const feed = this.#feeds.get(filter)
    if (feed === undefined) return
    this.#log.warn(
      { filter, condition: error?.condition ?? CONDITIONS.detachForced },
      'the host closed a source of the inbox'
    )
    for (const [client, membership] of [...feed.members]) {
      if ((membership.filters.get(filter)?.qos ?? 0) > 0) client.sourceLost(filter)
    }
    if (!this.#feeds.has(filter)) return
    feed.source = this.#source(filter)
    feed.source.catch(() => {
      for (const client of [...feed.members.keys()]) client.sourceLost(filter)
    })
  }
}
