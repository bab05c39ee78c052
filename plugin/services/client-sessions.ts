// The sessions of one address space as the Subscription Service knows them, and what it does to make them so: record,
// queue, route. Rule: a route exists before anybody is told so, and goes before its queue does; records see both.

import { isDeepStrictEqual } from 'node:util'
import type { AddressSpace, ServedLink } from '../host.js'
import { deleteInFlight, IN_FLIGHT_STORE } from '../messages/in-flight.js'
import { spellingOf, type Peer, type Spelling } from '../messages/peer.js'
import type { DeliveryPath } from '../messages/requests.js'
import type { Qos } from '../mqtt/packets.js'
import { NOBODY, type Holder, type SubscriptionRecords } from './subscription-records.js'

/** Former connections that a session remembers. */
const MAX_FORMER = 8
/** Sessions whose queues and routes are made sure of at once. */
const RECOVERED_AT_ONCE = 100

export interface ClientSession {
  readonly delivery: DeliveryPath
  /** topic filter → granted QoS */
  readonly filters: Map<string, Qos>
  /** which connection has it, had it and will have it */
  holder: Holder
  /** the connection whose LIST made the session */
  readonly madeBy: string | undefined
  /** of a durable session: filters whose retained messages its queue does not have yet, not all of them */
  readonly owed?: Set<string>
  /** since when nobody has received from its queue, ms since 1970; undefined: somebody may */
  leftAt?: number | undefined
  /** of an inbox session: the link of its gateway */
  link?: ServedLink | undefined
}

/** What becomes of `holder` when `connection` has the session; undefined: somebody without a name, who ends nobody. */
export function heldBy(holder: Holder, connection: string | undefined, control: string | undefined): Holder {
  if (connection === undefined) return { connection, control, former: holder.former, next: undefined }
  if (connection === holder.connection) return { ...holder, control: control ?? holder.control }
  const former = [...holder.former, holder.connection, holder.next].filter(each => each !== connection)
  // one empty list for all that have no past
  const kept = former.some(each => each !== undefined) ? remembered(former) : NOBODY.former
  return { connection, control, former: kept, next: undefined }
}

/** What becomes of `holder` when somebody without a name has ended its connection. */
export const ended = (holder: Holder): Holder => ({
  ...holder,
  former: remembered([...holder.former, holder.connection, holder.next])
})

const remembered = (connections: readonly (string | undefined)[]): readonly string[] =>
  connections.filter(each => each !== undefined).slice(-MAX_FORMER)

export class ClientSessions {
  readonly #space: AddressSpace
  readonly #spelling: Spelling
  readonly #records: SubscriptionRecords
  readonly #onRemoving: (clientId: string) => void
  readonly #sessions = new Map<string, ClientSession>()
  /** links that inbox sessions were announced over: most links are others */
  readonly #announcing = new WeakSet<ServedLink>()

  /** `onRemoving`: a session is going away with all that it has. */
  constructor(
    space: AddressSpace,
    peer: Peer,
    records: SubscriptionRecords,
    onRemoving: (clientId: string) => void = () => undefined
  ) {
    this.#space = space
    this.#spelling = spellingOf(peer)
    this.#records = records
    this.#onRemoving = onRemoving
  }

  /** Reads the records, and makes again what a crash kept from being made. */
  async recover(): Promise<void> {
    for (const [clientId, session] of await this.#records.load())
      this.#sessions.set(clientId, { delivery: 'queue', ...session })
    const clientIds = [...this.#sessions.keys()]
    for (let i = 0; i < clientIds.length; i += RECOVERED_AT_ONCE) {
      const some = clientIds.slice(i, i + RECOVERED_AT_ONCE)
      await Promise.all(some.map(clientId => this.establish(clientId)))
    }
    await this.#removeStrayRoutes()
  }

  /** A route that no record has leads into a queue that nobody can ask for, or brings what nobody asked for. */
  async #removeStrayRoutes(): Promise<void> {
    for (const route of await this.#space.routes.list()) {
      const clientId = this.#spelling.clientOf(route.queue)
      if (clientId === undefined) continue
      const known = this.#sessions.get(clientId)?.filters.has(route.filter) === true
      if (!known) await this.#space.routes.remove(route)
    }
  }

  /** Sessions whose queues do not have all the retained messages that were asked for. */
  get owing(): readonly (readonly [clientId: string, filters: ReadonlySet<string>])[] {
    return [...this.#sessions].flatMap(([clientId, { owed }]) =>
      owed !== undefined && owed.size > 0 ? [[clientId, owed]] : []
    )
  }

  get durableCount(): number {
    let count = 0
    for (const { delivery } of this.#sessions.values()) if (delivery === 'queue') count += 1
    return count
  }

  get(clientId: string): ClientSession | undefined {
    return this.#sessions.get(clientId)
  }

  /** A session that dies with its connection: nothing is made for it. */
  openInbox(clientId: string, holder: Holder, link: ServedLink): void {
    const filters = new Map<string, Qos>()
    this.#announcing.add(link)
    this.#sessions.set(clientId, { delivery: 'inbox', filters, holder, madeBy: undefined, link })
  }

  /** A durable session with its queue; one that is there stays as it is, but for who has it. */
  async openDurable(clientId: string, holder: Holder = NOBODY): Promise<ClientSession> {
    const known = this.#sessions.get(clientId)
    if (known?.delivery === 'queue') {
      await this.hold(clientId, known, holder)
      return known
    }
    const madeBy = holder.connection
    await this.#records.putSession(clientId, { holder, madeBy, leftAt: undefined })
    await this.#space.queues.create(this.#spelling.publish(clientId))
    const session: ClientSession = {
      ...{ delivery: 'queue', filters: new Map(), owed: new Set(), holder, madeBy }
    }
    this.#sessions.set(clientId, session)
    return session
  }

  /** Of a durable session this survives a restart. */
  async hold(clientId: string, session: ClientSession, holder: Holder): Promise<void> {
    const { delivery, madeBy, leftAt } = session
    if (delivery === 'queue' && !isDeepStrictEqual(holder, session.holder))
      await this.#records.putSession(clientId, { holder, madeBy, leftAt })
    session.holder = holder
  }

  /** Of a durable session: since when nobody has received from its queue; undefined: somebody does, or may soon. */
  async setLeftAt(clientId: string, session: ClientSession, leftAt: number | undefined): Promise<void> {
    if (session.leftAt === leftAt) return
    const { holder, madeBy } = session
    await this.#records.putSession(clientId, { holder, madeBy, leftAt })
    session.leftAt = leftAt
  }

  /** Those that outlive their connection. */
  durable(): readonly (readonly [clientId: string, session: ClientSession])[] {
    return [...this.#sessions].filter(([, { delivery }]) => delivery === 'queue')
  }

  /** `connection` is to have the session when the one that has it is gone: who waited for that before does so no more. */
  announceNext(clientId: string, session: ClientSession, connection: string): Promise<void> {
    const { next, former } = session.holder
    if (next === connection) return Promise.resolve()
    const holder = { ...session.holder, former: remembered([...former, next]), next: connection }
    return this.hold(clientId, session, holder)
  }

  /** Nobody else receives from the session's queue any more. */
  async expel(clientId: string, { delivery }: ClientSession): Promise<void> {
    if (delivery === 'queue') await this.#space.queues.closeConsumers(this.#spelling.publish(clientId))
  }

  /** The inbox sessions that a gateway announced over `link`. */
  announcedOver(link: ServedLink): readonly string[] {
    if (!this.#announcing.has(link)) return []
    return [...this.#sessions].filter(([, session]) => session.link === link).map(([clientId]) => clientId)
  }

  /** Queue and routes of a durable session, as its records have them. */
  async establish(clientId: string): Promise<void> {
    const session = this.#sessions.get(clientId)
    if (session?.delivery !== 'queue') return
    const queue = this.#spelling.publish(clientId)
    await this.#space.queues.create(queue)
    await Promise.all([...session.filters.keys()].map(filter => this.#space.routes.add({ filter, queue })))
  }

  /** `owed`: the retained messages of these filters are to come into the session's queue. */
  async subscribe(
    clientId: string,
    session: ClientSession,
    filters: ReadonlyMap<string, Qos>,
    owed: boolean
  ): Promise<void> {
    const queue = this.#spelling.publish(clientId)
    const routed = [...filters].map(async ([filter, qos]) => {
      if (session.delivery === 'queue') {
        if (owed) session.owed?.add(filter)
        await this.#records.putFilter(clientId, filter, qos, session.owed?.has(filter) === true)
        await this.#space.routes.add({ filter, queue })
      }
      session.filters.set(filter, qos)
    })
    const failed = (await Promise.allSettled(routed)).find(result => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  async unsubscribe(clientId: string, session: ClientSession, filters: readonly string[]): Promise<void> {
    const queue = this.#spelling.publish(clientId)
    for (const filter of filters) {
      if (!session.filters.has(filter)) continue
      if (session.delivery === 'queue') {
        await this.#space.routes.remove({ filter, queue })
        await this.#records.deleteFilter(clientId, filter)
      }
      session.filters.delete(filter)
      session.owed?.delete(filter)
    }
  }

  /** The session's queue has the retained messages of these filters. */
  async filled(clientId: string, session: ClientSession, filters: Iterable<string>): Promise<void> {
    const done = [...filters].map(async filter => {
      const qos = session.filters.get(filter)
      if (qos === undefined || session.owed?.delete(filter) !== true) return
      await this.#records.putFilter(clientId, filter, qos, false)
    })
    await Promise.all(done)
  }

  /** Removes the session with all that was made for it. */
  async remove(clientId: string): Promise<void> {
    const session = this.#sessions.get(clientId)
    if (session === undefined) return
    this.#onRemoving(clientId)
    if (session.delivery === 'queue') {
      const queue = this.#spelling.publish(clientId)
      await Promise.all(
        [...session.filters.keys()].map(filter => this.#space.routes.remove({ filter, queue }))
      )
      await this.#space.queues.delete(queue)
      await deleteInFlight(await this.#space.store(IN_FLIGHT_STORE), clientId)
      await this.#records.deleteSession(clientId, session.filters.keys())
    }
    this.#sessions.delete(clientId)
  }
}
