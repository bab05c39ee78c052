// The durable list of what a session's client was sent and has not acknowledged.
// Rule: each connection writes and reads its own and the one before it, and no other: one that comes too late changes nothing. It is
// written when the connection ends, before the deliveries go back to their queue: what a killed gateway had sent gets new packet ids.

import type { AddressSpace, KeyedStore, Logger } from '../host.js'
import {
  decodeInFlight,
  encodeInFlight,
  IN_FLIGHT_STORE,
  inFlightKey,
  type InFlightEntry
} from '../messages/in-flight.js'

/** In place of a connection where nobody tells one from another: each reads what the one before it wrote. */
export const NAMELESS = 'nameless'

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

  /** What the connection before this one had in flight, and is this one's from now on. */
  async takeOver(previous: string): Promise<readonly InFlightEntry[]> {
    const store = await this.#space.store(IN_FLIGHT_STORE)
    const key = inFlightKey(this.#clientId, previous)
    const record = await store.get(key)
    if (record === undefined) return []
    const entries = decodeInFlight(record)
    if (entries === undefined) this.#log.error({ key }, 'an in-flight record cannot be read and is removed')
    else if (entries.length > 0 && previous !== this.#connection) await this.#put(store, entries)
    if (previous === this.#connection && entries !== undefined) this.#written = true
    else await store.delete(key)
    return entries ?? []
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
