// The durable list of what a session's client was sent and has not acknowledged.
// Rule: it is under the connection that has the session; the former's is removed when its own is written. It is written when the
// connection ends, before the deliveries go back to their queue: what a killed gateway had sent gets new packet ids.

import type { AddressSpace, KeyedStore, Logger } from '../host.js'
import {
  decodeInFlight,
  encodeInFlight,
  IN_FLIGHT_STORE,
  inFlightKey,
  inFlightPrefix,
  type InFlightEntry
} from '../messages/in-flight.js'

export class InFlightList {
  readonly #space: Pick<AddressSpace, 'store'>
  readonly #log: Logger
  readonly #clientId: string
  readonly #connection: string
  #written = false

  constructor(space: Pick<AddressSpace, 'store'>, log: Logger, clientId: string, connection: string) {
    this.#space = space
    this.#log = log
    this.#clientId = clientId
    this.#connection = connection
  }

  /** What the connection before this one had in flight, and is this one's from now on; records of others are of no use to anybody. */
  async takeOver(previous: string | undefined): Promise<readonly InFlightEntry[]> {
    const store = await this.#space.store(IN_FLIGHT_STORE)
    const own = inFlightKey(this.#clientId, this.#connection)
    const last = previous === undefined ? undefined : inFlightKey(this.#clientId, previous)
    const others: string[] = []
    let inFlight: readonly InFlightEntry[] = []
    for await (const [key, value] of store.entries(inFlightPrefix(this.#clientId))) {
      if (key !== own) others.push(key)
      if (key !== last) continue
      const read = decodeInFlight(value)
      if (read === undefined) this.#log.error({ key }, 'an in-flight record cannot be read and is removed')
      else inFlight = read
    }
    if (inFlight.length > 0) await this.#put(store, inFlight)
    await Promise.all(others.map(key => store.delete(key)))
    return inFlight
  }

  /** Resolves when the list is durable. */
  async write(entries: readonly InFlightEntry[]): Promise<void> {
    if (entries.length === 0 && !this.#written) return
    const store = await this.#space.store(IN_FLIGHT_STORE)
    if (entries.length > 0) await this.#put(store, entries)
    else await store.delete(inFlightKey(this.#clientId, this.#connection))
  }

  async #put(store: KeyedStore, entries: readonly InFlightEntry[]): Promise<void> {
    await store.put(inFlightKey(this.#clientId, this.#connection), encodeInFlight(entries))
    this.#written = true
  }
}
