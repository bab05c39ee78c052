// Retained messages as the Subscription Service keeps them: from a publication to its record, from the record to a copy; and the
// marker that goes through the feed.
// Rule: a record is durable and has the publication's body and fields; what tells where and how it was published becomes its topic
// and QoS, and what identifies that one publication goes. A copy of a record is a publication of its own.

import type { AmqpValue, Message } from '../host.js'
import type { Qos } from '../mqtt/packets.js'
import { isValidTopicName } from '../mqtt/topic.js'
import { isOwnedAddress } from './addresses.js'
import { ARTEMIS_ORIGIN, decodePublication, DUP, ORIGIN, QOS, RETAIN, RETAINED, UID } from './publish.js'

/** Queue of all publications that are to be retained, and removals, in their order. */
export const RETAINED_FEED = '$mqtt.store.retained-feed'
/** Name of the store; its keys are topics. */
export const RETAINED_STORE = 'retained'
/** What the address begins with that has the retained message of a topic. */
export const RETAIN_PREFIX = '$retain.'

const DUPLICATE_ID = '_AMQ_DUPL_ID'
const MARKER = 'retained-marker'
const NOTHING: ReadonlyMap<string, AmqpValue> = new Map()

export interface RetainedUpdate {
  readonly topic: string
  /** undefined: nothing is retained any more */
  readonly record: Message | undefined
}

/** What a message of the feed says at `now`, ms since 1970; undefined: nothing, for it has no topic, or none that can be used. */
export function readRetained(message: Message, now: number): RetainedUpdate | undefined {
  const from = { address: RETAINED_FEED, exact: false, deliveryCount: 0 }
  const { topic, qos, retain, payload } = decodePublication(message, from)
  if (!retain || isOwnedAddress(topic) || !isValidTopicName(topic)) return undefined
  return { topic, record: payload.length === 0 ? undefined : recordOf(message, topic, qos, now) }
}

function recordOf(message: Message, topic: string, qos: Qos, now: number): Message {
  const annotations = new Map(message.annotations)
  for (const name of [ORIGIN, ARTEMIS_ORIGIN, DUP, UID]) annotations.delete(name)
  annotations.set(RETAIN, true).set(RETAINED, true).set(QOS, { type: 'int', value: qos })
  const applicationProperties = new Map(message.applicationProperties)
  for (const name of [ARTEMIS_ORIGIN, DUPLICATE_ID]) applicationProperties.delete(name)
  const { priority, properties, body } = message
  const absoluteExpiryTime = expiryOf(message, now)
  return {
    ...{ durable: true, deliveryCount: 0, priority, annotations, applicationProperties, body },
    properties: { ...properties, to: topic, absoluteExpiryTime }
  }
}

/** ms since 1970; undefined: never. 0 is what clients write that have no ttl or expiry time. */
function expiryOf({ ttlMs = 0, properties }: Message, now: number): number | undefined {
  const { absoluteExpiryTime: expiryTime = 0 } = properties
  const expiresAt = Math.min(ttlMs > 0 ? now + ttlMs : Infinity, expiryTime > 0 ? expiryTime : Infinity)
  return expiresAt === Infinity ? undefined : expiresAt
}

/** The value under `topic` is a record that readRetained made. */
export const isRetainedRecord = ({ properties, annotations, body }: Message, topic: string): boolean =>
  properties.to === topic && annotations.get(RETAINED) === true && body.type !== 'none'

/** In place of a record: what was there was removed, and some receiver may still have a copy of it as the last of its topic. */
export const removedRecord = (topic: string): Message => ({
  ...{ durable: true, deliveryCount: 0, annotations: new Map([[RETAINED, true]]), properties: { to: topic } },
  ...{ applicationProperties: NOTHING, body: { type: 'none' } }
})

/** The value under `topic` is what removedRecord made. */
export const isRemovedRecord = ({ properties, annotations, body }: Message, topic: string): boolean =>
  properties.to === topic && annotations.get(RETAINED) === true && body.type === 'none'

export const isExpired = ({ properties }: Message, now: number): boolean =>
  (properties.absoluteExpiryTime ?? Infinity) <= now

/** A copy of a record for one receiver; `durable`: whatever its QoS is. `uid`: 16 bytes, its own. */
export function retainedCopy(record: Message, uid: Uint8Array, durable: boolean): Message {
  const { priority, properties, applicationProperties, body } = record
  const annotations = new Map(record.annotations).set(UID, uid)
  const ownDurable = annotations.get(QOS) !== 0
  return {
    ...{ durable: durable || ownDurable, deliveryCount: 0, priority },
    ...{ annotations, properties, applicationProperties, body }
  }
}

/** For a receiver that may have a copy of what was removed since: as the removal itself, a publication of its own. */
export function retainedRemoval(topic: string, uid: Uint8Array): Message {
  const annotations = new Map<string, AmqpValue>([
    [RETAIN, true],
    [QOS, { type: 'int', value: 1 }],
    [UID, uid]
  ])
  return {
    ...{ durable: true, deliveryCount: 0, annotations, properties: { to: topic } },
    ...{ applicationProperties: NOTHING, body: { type: 'data', sections: [new Uint8Array()] } }
  }
}

/** Sent to the feed, it comes back when all that was accepted before has come. */
export const encodeFeedMarker = (id: string): Message => ({
  durable: false,
  deliveryCount: 0,
  annotations: NOTHING,
  properties: { to: RETAINED_FEED, subject: MARKER, messageId: id },
  applicationProperties: NOTHING,
  body: { type: 'none' }
})

/** The id of a marker; undefined for all else that the feed has. */
export function feedMarkerOf({ properties }: Message): string | undefined {
  const { to, subject, messageId } = properties
  return to === RETAINED_FEED && subject === MARKER && typeof messageId === 'string' ? messageId : undefined
}
