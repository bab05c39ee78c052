// The Subscription Service's durable state: which durable sessions there are, which connection has each, and its filters.
// Rule: a record is written before what it stands for is made, and removed after that is gone; so a restart finds all of it. What
// cannot be read is set aside: a session is there by its key alone, a filter is not.

import type { AmqpValue, KeyedStore, Message } from '../host.js'
import { decodeClientId, encodeClientId } from '../messages/addresses.js'
import type { Qos } from '../mqtt/packets.js'
import { isValidTopicFilter } from '../mqtt/topic.js'
import type { DamagedRecords } from './damaged-records.js'

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
  /** the session ends when nobody receives from its queue any more: the clean session of an original's gateway */
  readonly clean?: true | undefined
}

export const NOBODY: Holder = { connection: undefined, control: undefined, former: [], next: undefined }

export interface SessionRecord {
  readonly holder: Holder
  /** the connection whose request made the session: asked again, it is told so again */
  readonly madeBy: string | undefined
  /** since when nobody has received from its queue, ms since 1970; undefined: somebody may */
  readonly leftAt: number | undefined
  readonly filters: Map<string, Qos>
  /** filters whose retained messages its queue does not have yet, not all of them */
  readonly owed: Set<string>
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
  readonly #damaged: DamagedRecords

  constructor(store: KeyedStore, damaged: DamagedRecords) {
    this.#store = store
    this.#damaged = damaged
  }

  /** All sessions with their filters. */
  async load(): Promise<Map<string, SessionRecord>> {
    const sessions = new Map<string, SessionRecord>()
    for await (const [key, value] of this.#store.entries('session/')) {
      const clientId = decodeClientId(key.slice('session/'.length))
      const fields = fieldsOf(value)
      if (clientId === undefined || fields === undefined) await this.#setAside(key, value)
      if (clientId === undefined) continue
      const holder = fields === undefined ? NOBODY : holderOf(fields)
      const madeBy = textOf(fields?.get('made-by'))
      const leftAt = numberOf(fields?.get('left-at'))
      if (fields === undefined) await this.putSession(clientId, { holder, madeBy, leftAt })
      sessions.set(clientId, { holder, madeBy, leftAt, filters: new Map(), owed: new Set() })
    }
    for await (const [key, value] of this.#store.entries('filter/')) {
      const [, encoded = '', ...levels] = key.split('/')
      const filter = levels.join('/')
      const fields = fieldsOf(value)
      const qos = qosOf(fields?.get('qos'))
      const session = sessions.get(decodeClientId(encoded) ?? '')
      if (session === undefined || qos === undefined || !isValidTopicFilter(filter)) {
        await this.#setAside(key, value)
        continue
      }
      session.filters.set(filter, qos)
      if (fields?.get('owed') === true) session.owed.add(filter)
    }
    return sessions
  }

  putSession(
    clientId: string,
    { holder, madeBy, leftAt }: Pick<SessionRecord, 'holder' | 'madeBy' | 'leftAt'>
  ): Promise<void> {
    const { connection, control, former, next, clean } = holder
    const fields = new Map<string, AmqpValue>()
    if (connection !== undefined) fields.set('connection', connection)
    if (control !== undefined) fields.set('control', control)
    if (former.length > 0) fields.set('former', former)
    if (next !== undefined) fields.set('next', next)
    if (clean !== undefined) fields.set('clean', clean)
    if (madeBy !== undefined) fields.set('made-by', madeBy)
    if (leftAt !== undefined) fields.set('left-at', leftAt)
    return this.#store.put(sessionKey(clientId), record(fields))
  }

  async deleteSession(clientId: string, filters: Iterable<string>): Promise<void> {
    await Promise.all([...filters].map(filter => this.deleteFilter(clientId, filter)))
    await this.#store.delete(sessionKey(clientId))
  }

  /** `owed`: the session's queue does not have the retained messages yet. */
  putFilter(clientId: string, filter: string, qos: Qos, owed: boolean): Promise<void> {
    const fields = new Map<string, AmqpValue>([['qos', qos]])
    if (owed) fields.set('owed', true)
    return this.#store.put(filterKey(clientId, filter), record(fields))
  }

  deleteFilter(clientId: string, filter: string): Promise<void> {
    return this.#store.delete(filterKey(clientId, filter))
  }

  async #setAside(key: string, value: Message): Promise<void> {
    await this.#damaged.keep(SUBSCRIPTION_STORE, key, value)
    await this.#store.delete(key)
  }
}

type Fields = ReadonlyMap<AmqpValue, AmqpValue>

function fieldsOf({ body }: Message): Fields | undefined {
  return body.type === 'value' && body.value instanceof Map ? (body.value as Fields) : undefined
}

const isText = (value: AmqpValue | undefined): value is string => typeof value === 'string'
const textOf = (value: AmqpValue | undefined): string | undefined => (isText(value) ? value : undefined)

function holderOf(fields: Fields): Holder {
  const former = fields.get('former')
  return {
    connection: textOf(fields.get('connection')),
    control: textOf(fields.get('control')),
    former: Array.isArray(former) ? former.filter(isText) : [],
    next: textOf(fields.get('next')),
    ...(fields.get('clean') === true ? { clean: true } : {})
  }
}

const numberOf = (value: AmqpValue | undefined): number | undefined =>
  typeof value === 'number' ? value : undefined

const qosOf = (value: AmqpValue | undefined): Qos | undefined =>
  value === 0 || value === 1 || value === 2 ? value : undefined
