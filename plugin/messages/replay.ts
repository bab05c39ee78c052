// The replay of retained messages: the end of what one AMQP_SUBSCRIBE gets.
// Rule: the copies come first, then a marker, over the same link. A session's own queue gets one only where that was asked for, with a
// name for it; it says for which filters all copies are before it, and by which name each of them was asked for last.

import type { AmqpValue, Message } from '../host.js'
import { publishAddress } from './addresses.js'

const SUBJECT = 'replayed'

/** The marker for a client; `packetId`: of the AMQP_SUBSCRIBE. */
export const encodeReplayed = (to: string, clientId: string, packetId: number | undefined): Message => ({
  durable: false,
  deliveryCount: 0,
  annotations: new Map(),
  properties: { to, subject: SUBJECT, correlationId: publishAddress(clientId), messageId: packetId },
  applicationProperties: new Map(),
  body: { type: 'none' }
})

/** The marker in a session's queue; `marks`: filter to the name that its AMQP_SUBSCRIBE gave the end. */
export const encodeFilled = (queue: string, marks: ReadonlyMap<string, string>): Message => ({
  durable: true,
  deliveryCount: 0,
  annotations: new Map(),
  properties: { to: queue, subject: SUBJECT, correlationId: queue },
  applicationProperties: new Map(),
  body: { type: 'value', value: marks }
})

/** What a marker says that came by `queue`; undefined: it is none, since nobody may publish to a queue. */
export function decodeFilled(
  { properties: { to, subject }, body }: Message,
  queue: string
): ReadonlyMap<AmqpValue, AmqpValue> | undefined {
  if (subject !== SUBJECT || to !== queue) return undefined
  return body.type === 'value' && body.value instanceof Map
    ? (body.value as ReadonlyMap<AmqpValue, AmqpValue>)
    : new Map()
}

/** True for the marker that ends a replay. Only where replays come: a publication may have any subject. */
export const isReplayed = ({ properties }: Message): boolean =>
  properties.subject === SUBJECT &&
  properties.to !== undefined &&
  typeof properties.correlationId === 'string'
