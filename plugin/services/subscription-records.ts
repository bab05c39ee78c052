// The Subscription Service's durable state: which durable sessions there are, and each one's filters.
// Rule: a record is written before what it stands for is made, and removed after that is gone; so a restart finds all of it.

import type { AmqpValue, KeyedStore, Message } from '../host.js'
import { decodeClientId, encodeClientId } from '../messages/addresses.js'
import type { Qos } from '../mqtt/packets.js'

/** Name of the store; its keys are `session/<id>` and `filter/<id>/<topic filter>` with the id encoded. */
export const SUBSCRIPTION_STORE = 'subscriptions'

const NOTHING: ReadonlyMap<string, AmqpValue> = new Map()

const sessionKey = (clientId: string): string => `session/${encodeClientId(clientId)}`
const filterKey = (clientId: string, filter: string): string => `filter/${encodeClientId(clientId)}/${filter}`

const record = (value: ReadonlyMap<AmqpValue, AmqpValue>): Message => ({
  durable: true,
  deliveryCount: 0,
  annotations: NOTHING,
  properties: {},
  applicationProperties: NOTHING,
  body: { type: 'value', value }
})

export class SubscriptionRecords {
  readonly #store: KeyedStore

  constructor(store: KeyedStore) {
    this.#store = store
  }

  /** All sessions with their filters; `unreadable` gets the key of a record that says nothing. */
  async load(unreadable: (key: string) => void): Promise<Map<string, Map<string, Qos>>> {
    const sessions = new Map<string, Map<string, Qos>>()
    for await (const [key] of this.#store.entries('session/')) {
      const clientId = decodeClientId(key.slice('session/'.length))
      if (clientId === undefined) unreadable(key)
      else sessions.set(clientId, new Map())
    }
    for await (const [key, value] of this.#store.entries('filter/')) {
      const [, encoded = '', ...levels] = key.split('/')
      const clientId = decodeClientId(encoded)
      const qos = qosOf(value)
      const filters = clientId === undefined ? undefined : sessions.get(clientId)
      if (filters === undefined || qos === undefined) unreadable(key)
      else filters.set(levels.join('/'), qos)
    }
    return sessions
  }

  putSession(clientId: string): Promise<void> {
    return this.#store.put(sessionKey(clientId), record(new Map()))
  }

  async deleteSession(clientId: string, filters: Iterable<string>): Promise<void> {
    await Promise.all([...filters].map(filter => this.deleteFilter(clientId, filter)))
    await this.#store.delete(sessionKey(clientId))
  }

  putFilter(clientId: string, filter: string, qos: Qos): Promise<void> {
    return this.#store.put(filterKey(clientId, filter), record(new Map([['qos', qos]])))
  }

  deleteFilter(clientId: string, filter: string): Promise<void> {
    return this.#store.delete(filterKey(clientId, filter))
  }
}

function qosOf({ body }: Message): Qos | undefined {
  const value =
    body.type === 'value' && body.value instanceof Map
      ? (body.value as Map<AmqpValue, AmqpValue>).get('qos')
      : undefined
  return value === 0 || value === 1 || value === 2 ? value : undefined
}
