// The Subscription Service's durable state: which durable sessions there are, which connection has each, and its filters.
// Rule: a record is written before what it stands for is made, and removed after that is gone; so a restart finds all of it.

import type { AmqpValue, KeyedStore, Message } from '../host.js'
import { decodeClientId, encodeClientId } from '../messages/addresses.js'
import type { Qos } from '../mqtt/packets.js'

/** Name of the store; its keys are `session/<id>` and `filter/<id>/<topic filter>` with the id encoded. */
export const SUBSCRIPTION_STORE = 'subscriptions'

/** Which connection has a session. */
export interface Holder {
  /** undefined: nobody that gave itself a name */
  readonly connection: string | undefined
  /** where orders for it go */
  readonly control: string | undefined
  /** the last few that had the session: what comes from them is too late */
  readonly former: readonly string[]
  /** waits until `connection` is gone */
  readonly next: string | undefined
}

export const NOBODY: Holder = { connection: undefined, control: undefined, former: [], next: undefined }

export interface SessionRecord {
  readonly holder: Holder
  readonly filters: Map<string, Qos>
}

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
  async load(unreadable: (key: string) => void): Promise<Map<string, SessionRecord>> {
    const sessions = new Map<string, SessionRecord>()
    for await (const [key, value] of this.#store.entries('session/')) {
      const clientId = decodeClientId(key.slice('session/'.length))
      if (clientId === undefined) unreadable(key)
      else sessions.set(clientId, { holder: holderOf(value), filters: new Map() })
    }
    for await (const [key, value] of this.#store.entries('filter/')) {
      const [, encoded = '', ...levels] = key.split('/')
      const clientId = decodeClientId(encoded)
      const qos = qosOf(value)
      const filters = clientId === undefined ? undefined : sessions.get(clientId)?.filters
      if (filters === undefined || qos === undefined) unreadable(key)
      else filters.set(levels.join('/'), qos)
    }
    return sessions
  }

  putSession(clientId: string, { connection, control, former, next }: Holder): Promise<void> {
    const fields = new Map<string, AmqpValue>()
    if (connection !== undefined) fields.set('connection', connection)
    if (control !== undefined) fields.set('control', control)
    if (former.length > 0) fields.set('former', former)
    if (next !== undefined) fields.set('next', next)
    return this.#store.put(sessionKey(clientId), record(fields))
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

const fieldOf = ({ body }: Message, name: string): AmqpValue | undefined =>
  body.type === 'value' && body.value instanceof Map
    ? (body.value as Map<AmqpValue, AmqpValue>).get(name)
    : undefined

const isText = (value: AmqpValue | undefined): value is string => typeof value === 'string'

function holderOf(value: Message): Holder {
  const text = (name: string): string | undefined => {
    const field = fieldOf(value, name)
    return isText(field) ? field : undefined
  }
  const former = fieldOf(value, 'former')
  return {
    connection: text('connection'),
    control: text('control'),
    former: Array.isArray(former) ? former.filter(isText) : [],
    next: text('next')
  }
}

function qosOf(message: Message): Qos | undefined {
  const value = fieldOf(message, 'qos')
  return value === 0 || value === 1 || value === 2 ? value : undefined
}
