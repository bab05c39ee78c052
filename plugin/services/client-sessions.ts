// The sessions of one address space as the Subscription Service knows them, and what it does to make them so: record,
// queue, route. Rule: a route exists before anybody is told so, and goes before its queue does; records see both.

import type { AddressSpace } from '../host.js'
import { publishAddress } from '../messages/addresses.js'
import type { DeliveryPath } from '../messages/requests.js'
import type { Qos } from '../mqtt/packets.js'
import type { SubscriptionRecords } from './subscription-records.js'

export interface ClientSession {
  readonly delivery: DeliveryPath
  /** topic filter → granted QoS */
  readonly filters: Map<string, Qos>
  /** the connection that the client uses now */
  connection: string | undefined
  /** the connection whose LIST made the session */
  readonly madeBy: string | undefined
}

export class ClientSessions {
  readonly #space: AddressSpace
  readonly #records: SubscriptionRecords
  readonly #sessions = new Map<string, ClientSession>()

  constructor(space: AddressSpace, records: SubscriptionRecords) {
    this.#space = space
    this.#records = records
  }

  /** Reads the records, and makes again what a crash kept from being made. */
  async recover(unreadable: (key: string) => void): Promise<void> {
    for (const [clientId, filters] of await this.#records.load(unreadable)) {
      this.#sessions.set(clientId, { delivery: 'queue', filters, connection: undefined, madeBy: undefined })
      await this.establish(clientId)
    }
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
  openInbox(clientId: string, connection: string | undefined): void {
    this.#sessions.set(clientId, { delivery: 'inbox', filters: new Map(), connection, madeBy: undefined })
  }

  /** A durable session with its queue; one that is there stays as it is. */
  async openDurable(clientId: string, connection: string | undefined): Promise<ClientSession> {
    const known = this.#sessions.get(clientId)
    if (known?.delivery === 'queue') return known
    await this.#records.putSession(clientId)
    await this.#space.queues.create(publishAddress(clientId))
    const session: ClientSession = { delivery: 'queue', filters: new Map(), connection, madeBy: connection }
    this.#sessions.set(clientId, session)
    return session
  }

  /** Queue and routes of a durable session, as its records have them. */
  async establish(clientId: string): Promise<void> {
    const session = this.#sessions.get(clientId)
    if (session?.delivery !== 'queue') return
    const queue = publishAddress(clientId)
    await this.#space.queues.create(queue)
    await Promise.all([...session.filters.keys()].map(filter => this.#space.routes.add({ filter, queue })))
  }

  async subscribe(
    clientId: string,
    session: ClientSession,
    filters: ReadonlyMap<string, Qos>
  ): Promise<void> {
    const queue = publishAddress(clientId)
    const routed = [...filters].map(async ([filter, qos]) => {
      if (session.delivery === 'queue') {
        await this.#records.putFilter(clientId, filter, qos)
        await this.#space.routes.add({ filter, queue })
      }
      session.filters.set(filter, qos)
    })
    const failed = (await Promise.allSettled(routed)).find(result => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  async unsubscribe(clientId: string, session: ClientSession, filters: readonly string[]): Promise<void> {
    const queue = publishAddress(clientId)
    for (const filter of filters) {
      if (!session.filters.has(filter)) continue
      if (session.delivery === 'queue') {
        await this.#space.routes.remove({ filter, queue })
        await this.#records.deleteFilter(clientId, filter)
      }
      session.filters.delete(filter)
    }
  }

  /** Removes the session with all that was made for it. */
  async remove(clientId: string): Promise<void> {
    const session = this.#sessions.get(clientId)
    if (session === undefined) return
    if (session.delivery === 'queue') {
      const queue = publishAddress(clientId)
      await Promise.all(
        [...session.filters.keys()].map(filter => this.#space.routes.remove({ filter, queue }))
      )
      await this.#space.queues.delete(queue)
      await this.#records.deleteSession(clientId, session.filters.keys())
    }
    this.#sessions.delete(clientId)
  }
}
