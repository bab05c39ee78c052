// AMQP_SUBSCRIPTIONS: the Subscription Service's reply to AMQP_LIST.
// Rule: the reply says what the session has; which request it answers is told by the client's address and `connection`.

import type { AmqpValue, Message } from '../host.js'
import type { Qos } from '../mqtt/packets.js'
import { decodeQos, encodeFilters } from './granted-qos.js'
import { spellingOf, type Peer } from './peer.js'

const SUBJECT = 'subscriptions'
const NOTHING: ReadonlyMap<string, AmqpValue> = new Map()

export interface SubscriptionsReply {
  /** as in the request; from us `$mqtt.to.<id>.publish` */
  readonly correlationId: string
  /** of the request that it answers */
  readonly connection?: string | undefined
  readonly sessionPresent: boolean
  /** the connection that had the session before this one */
  readonly previousConnection?: string | undefined
  readonly filters: ReadonlyMap<string, Qos>
}

export function encodeSubscriptions(
  to: string,
  { correlationId, connection, sessionPresent, previousConnection, filters }: SubscriptionsReply
): Message {
  const app = new Map<string, AmqpValue>([['session-present', sessionPresent]])
  if (connection !== undefined) app.set('connection', connection)
  if (previousConnection !== undefined) app.set('previous-connection', previousConnection)
  return {
    durable: false,
    deliveryCount: 0,
    annotations: NOTHING,
    properties: { to, subject: SUBJECT, correlationId },
    applicationProperties: app,
    body: { type: 'value', value: encodeFilters(filters) }
  }
}

/** Reads a reply, with the client id that it is for; undefined for any other message. An original says less: see `sessionPresent`. */
export function decodeSubscriptions(
  { properties: { subject, correlationId }, applicationProperties: app, body }: Message,
  peer: Peer = 'ours'
): (SubscriptionsReply & { readonly clientId: string }) | undefined {
  if (subject !== SUBJECT || typeof correlationId !== 'string') return undefined
  const clientId = spellingOf(peer).clientOf(correlationId)
  if (clientId === undefined || body.type !== 'value' || !(body.value instanceof Map)) return undefined
  const filters = new Map<string, Qos>()
  for (const [filter, value] of body.value as ReadonlyMap<AmqpValue, AmqpValue>) {
    const qos = decodeQos(value)
    if (typeof filter === 'string' && qos !== undefined) filters.set(filter, qos)
  }
  const text = (name: string): string | undefined => {
    const value = app.get(name)
    return typeof value === 'string' ? value : undefined
  }
  const present = app.get('session-present')
  return {
    clientId,
    correlationId,
    connection: text('connection'),
    // protocol.md 3: without the field, whether the map has entries
    sessionPresent: typeof present === 'boolean' ? present : filters.size > 0,
    previousConnection: text('previous-connection'),
    filters
  }
}
