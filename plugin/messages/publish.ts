// AMQP_PUBLISH: a Publication as an AMQP message, and any AMQP message as a Publication.
// Rule: nobody's message is refused for what it lacks: annotations, `to`, durable and body may all be missing.

import type { AmqpValue, Message, MessageBody, MessageProperties } from '../host.js'
import type { Qos } from '../mqtt/packets.js'
import { isOwnedAddress } from './addresses.js'
import { payloadOf } from './body.js'
import type { Publication } from './publication.js'

export const QOS = 'x-opt-mqtt-qos'
export const RETAIN = 'x-opt-retain-message'
export const RETAINED = 'x-opt-mqtt-retained'
export const UID = 'x-opt-mqtt-uid'
export const DUP = 'x-opt-mqtt-dup'
const CLIENT_ID = 'x-opt-mqtt-client-id'
const PAYLOAD_FORMAT = 'x-opt-mqtt-payload-format'
export const ORIGIN = 'x-opt-ORIG-ADDRESS'
export const ARTEMIS_ORIGIN = '_AMQ_ORIG_ADDRESS'
const ARTEMIS_QOS = 'mqtt.qos.level'

const NO_APPLICATION_PROPERTIES: ReadonlyMap<string, AmqpValue> = new Map()

/** A publication as a message; a host in the same process passes it on as it is, and nothing is encoded. */
class PublicationMessage implements Message {
  readonly publication: Publication
  #annotations: ReadonlyMap<string, AmqpValue> | undefined

  constructor(publication: Publication) {
    this.publication = publication
  }

  get durable(): boolean {
    return this.publication.qos > 0
  }

  get priority(): undefined {
    return undefined
  }

  get ttlMs(): undefined {
    return undefined
  }

  get deliveryCount(): number {
    return this.publication.dup ? 1 : 0
  }

  get annotations(): ReadonlyMap<string, AmqpValue> {
    this.#annotations ??= annotationsOf(this.publication)
    return this.#annotations
  }

  get properties(): MessageProperties {
    const { topic, packetId, contentType } = this.publication
    return { to: topic, messageId: packetId, contentType }
  }

  get applicationProperties(): ReadonlyMap<string, AmqpValue> {
    return NO_APPLICATION_PROPERTIES
  }

  get body(): MessageBody {
    return { type: 'data', sections: [this.publication.payload] }
  }
}

function annotationsOf(publication: Publication): ReadonlyMap<string, AmqpValue> {
  const annotations = new Map<string, AmqpValue>()
  annotations.set(RETAIN, publication.retain)
  annotations.set(QOS, { type: 'int', value: publication.qos })
  if (publication.retained === true) annotations.set(RETAINED, true)
  if (publication.uid !== undefined) annotations.set(UID, publication.uid)
  // marks the delivery-count as the publisher's, which must not travel to subscribers [MQTT3-3.3.1-3] [MQTT5-3.3.1-3]
  if (publication.dup) annotations.set(DUP, true)
  if (publication.clientId !== undefined) annotations.set(CLIENT_ID, publication.clientId)
  if (publication.payloadFormat !== undefined) {
    annotations.set(PAYLOAD_FORMAT, { type: 'ubyte', value: publication.payloadFormat })
  }
  return annotations
}

export const encodePublication = (publication: Publication): Message => new PublicationMessage(publication)

/** Where a message was received: `exact` says that `address` is the topic itself and no filter or queue. */
export interface ReceivedFrom {
  readonly address: string
  readonly exact: boolean
  /** Delivery.deliveryCount */
  readonly deliveryCount: number
}

/** Reads any message; `dup` says that it was delivered before. */
export function decodePublication(message: Message, from: ReceivedFrom): Publication {
  if (message instanceof PublicationMessage) {
    const { publication } = message
    const dup = from.deliveryCount > message.deliveryCount
    return publication.dup === dup ? publication : { ...publication, dup }
  }
  const { annotations } = message
  const { payload, payloadFormat, contentType } = payloadOf(message.body)
  const published = annotations.get(DUP) === true ? 1 : 0
  return {
    topic: topicOf(message, from),
    payload,
    qos: qosOf(message),
    retain: isRetain(message),
    retained: annotations.get(RETAINED) === true,
    dup: from.deliveryCount - published > 0,
    packetId: packetIdOf(message.properties.messageId),
    uid: bytesOf(annotations.get(UID)),
    clientId: stringOf(annotations.get(CLIENT_ID)),
    contentType: message.properties.contentType ?? contentType,
    payloadFormat: annotations.get(PAYLOAD_FORMAT) === 1 ? 1 : payloadFormat
  }
}

function topicOf({ annotations, properties, applicationProperties }: Message, from: ReceivedFrom): string {
  if (from.exact) return from.address
  const origin =
    stringOf(annotations.get(ORIGIN)) ??
    stringOf(annotations.get(ARTEMIS_ORIGIN)) ??
    stringOf(applicationProperties.get(ARTEMIS_ORIGIN))
  if (origin !== undefined) return origin
  const { to } = properties
  return to !== undefined && !isOwnedAddress(to) ? to : from.address
}

function qosOf({ annotations, applicationProperties, durable }: Message): Qos {
  const value = annotations.get(QOS) ?? applicationProperties.get(ARTEMIS_QOS)
  const qos = typeof value === 'bigint' ? Number(value) : value
  return qos === 0 || qos === 1 || qos === 2 ? qos : durable ? 1 : 0
}

/** The annotation that a route with `only: 'retained'` asks for; of a publication of ours no annotations are made for it. */
export const hasRetain = (message: Message): boolean =>
  message instanceof PublicationMessage
    ? message.publication.retain
    : message.annotations.get(RETAIN) === true

const isRetain = ({ annotations, applicationProperties }: Message): boolean =>
  (annotations.get(RETAIN) ?? applicationProperties.get('mqtt.message.retain')) === true

const stringOf = (value: AmqpValue | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined

const bytesOf = (value: AmqpValue | undefined): Uint8Array | undefined =>
  value instanceof Uint8Array ? value : undefined

const packetIdOf = (messageId: unknown): number | undefined =>
  typeof messageId === 'number' && messageId > 0 && messageId <= 0xffff ? messageId : undefined
