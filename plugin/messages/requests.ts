// Requests to the Subscription Service: AMQP_LIST, AMQP_CLOSE, AMQP_SUBSCRIBE, AMQP_UNSUBSCRIBE; and the answer to its order
// `disconnect` (orders.ts).
// Rule: what originals write is read (lists, one string, integer or string QoS); what we write is what originals read. An error
// names the field that was wrong.

import { AmqpError, CONDITIONS } from '../errors.js'
import type { AmqpValue, Message, MessageBody, MessageProperties } from '../host.js'
import type { Qos } from '../mqtt/packets.js'
import { decodeQos, encodeFilters } from './granted-qos.js'
import { quoted } from './quoted.js'
import { spellingOf, type Peer } from './peer.js'

/** Where a session's publications go: a durable queue of its own, or the inbox of its gateway. */
export type DeliveryPath = 'queue' | 'inbox'

interface RequestBase {
  /** decoded */
  readonly clientId: string
  /** one CONNECT of the client; undefined from originals and from AMQP clients that do not care */
  readonly connection?: string | undefined
  /** the user that a gateway states */
  readonly user?: string | undefined
}

export interface ListRequest extends RequestBase {
  readonly type: 'list'
  /** where the reply goes, and orders from now on */
  readonly replyTo: string
  /** the session is announced again, to a service that may not know it: nothing is taken over */
  readonly resume: boolean
  /** as in the request, to be repeated in the reply */
  readonly correlationId: string
}

export interface CloseRequest extends RequestBase {
  readonly type: 'close'
  readonly delivery: DeliveryPath
  /** the session ended with its connection: nothing is taken over or made */
  readonly end: boolean
  /** as for a list */
  readonly resume: boolean
  /** where orders for this connection go; undefined: to the client's own control address */
  readonly replyTo?: string | undefined
}

export interface SubscribeRequest extends RequestBase {
  readonly type: 'subscribe'
  readonly filters: ReadonlyMap<string, Qos>
  readonly delivery: DeliveryPath
  /** good filters stay when others fail */
  readonly partial: boolean
  /** where retained messages of these filters go, with a marker at their end (retained.ts); undefined: into the session's queue */
  readonly replayTo?: string | undefined
  readonly packetId?: number | undefined
}

export interface UnsubscribeRequest extends RequestBase {
  readonly type: 'unsubscribe'
  readonly filters: readonly string[]
  readonly packetId?: number | undefined
}

/** The answer to an order `disconnect`: nothing is left of `connection`. */
export interface DisconnectedRequest extends RequestBase {
  readonly type: 'disconnected'
}

export type SubscriptionRequest =
  ListRequest | CloseRequest | SubscribeRequest | UnsubscribeRequest | DisconnectedRequest

const EMPTY: ReadonlyMap<string, AmqpValue> = new Map()

interface Parts {
  readonly properties: MessageProperties
  readonly applicationProperties?: ReadonlyMap<string, AmqpValue>
  readonly body?: MessageBody
}

const message = ({ properties, applicationProperties = EMPTY, body = { type: 'none' } }: Parts): Message => ({
  durable: false,
  deliveryCount: 0,
  annotations: EMPTY,
  properties,
  applicationProperties,
  body
})

const SUBJECTS = {
  list: 'list',
  close: 'close',
  subscribe: 'subscribe',
  unsubscribe: 'unsubscribe',
  disconnected: 'disconnected'
} as const

/** Writes a request as `peer` reads it. */
export function encodeRequest(request: SubscriptionRequest, peer: Peer = 'ours'): Message {
  const { type, clientId, user } = request
  return message({
    properties: {
      subject: SUBJECTS[type],
      correlationId: spellingOf(peer).publish(clientId),
      messageId: type === 'subscribe' || type === 'unsubscribe' ? request.packetId : undefined,
      replyTo: type === 'list' || (type === 'close' && peer === 'ours') ? request.replyTo : undefined,
      userId: user === undefined ? undefined : Buffer.from(user, 'utf8')
    },
    applicationProperties: peer === 'ours' ? fieldsOf(request) : EMPTY,
    body: bodyOf(request)
  })
}

/** What an original does not know. */
function fieldsOf(request: SubscriptionRequest): ReadonlyMap<string, AmqpValue> {
  const { type, connection } = request
  const app = new Map<string, AmqpValue>()
  if (connection !== undefined) app.set('connection', connection)
  if ((type === 'close' || type === 'subscribe') && request.delivery === 'inbox') app.set('delivery', 'inbox')
  if (type === 'close' && request.end) app.set('end', true)
  if ((type === 'close' || type === 'list') && request.resume) app.set('resume', true)
  if (type === 'subscribe' && request.partial) app.set('partial', true)
  if (type === 'subscribe' && request.replayTo !== undefined) app.set('replay-to', request.replayTo)
  return app
}

function bodyOf(request: SubscriptionRequest): MessageBody {
  switch (request.type) {
    case 'list':
    case 'close':
    case 'disconnected':
      return { type: 'none' }
    case 'subscribe':
      return { type: 'value', value: encodeFilters(request.filters) }
    case 'unsubscribe':
      return { type: 'value', value: request.filters }
    default:
      return request satisfies never
  }
}

/**
 * Reads a request, with client ids as `peer` writes them. Throws AmqpError: `amqp:not-implemented` for its subject,
 * `amqp:decode-error` for any other field.
 */
export function decodeRequest(request: Message, peer: Peer = 'ours'): SubscriptionRequest {
  const { properties, applicationProperties: app } = request
  const { subject } = properties
  const correlationId = correlationIdOf(properties)
  const base: RequestBase = {
    clientId: clientIdOf(correlationId, peer),
    connection: textOf(app, 'connection'),
    user: properties.userId === undefined ? undefined : Buffer.from(properties.userId).toString('utf8')
  }
  const packetId = typeof properties.messageId === 'number' ? properties.messageId : undefined
  const resume = app.get('resume') === true
  const { replyTo } = properties
  switch (subject) {
    case 'list':
      if (replyTo === undefined) throw decodeError('reply-to is missing')
      return { type: 'list', ...base, replyTo, resume, correlationId }
    case 'close':
      return {
        type: 'close',
        ...base,
        delivery: deliveryOf(app),
        end: app.get('end') === true,
        resume,
        replyTo
      }
    case 'disconnected':
      return { type: 'disconnected', ...base }
    case 'subscribe': {
      const filters = subscribeFilters(valueOf(request))
      return {
        type: 'subscribe',
        ...base,
        filters,
        delivery: deliveryOf(app),
        partial: app.get('partial') === true,
        replayTo: textOf(app, 'replay-to'),
        packetId
      }
    }
    case 'unsubscribe':
      return { type: 'unsubscribe', ...base, filters: unsubscribeFilters(valueOf(request)), packetId }
    default:
      throw new AmqpError(
        CONDITIONS.notImplemented,
        `subject ${subject === undefined ? 'null' : quoted(subject)} is not one of list, close, subscribe, unsubscribe, disconnected`
      )
  }
}

const decodeError = (description: string): AmqpError => new AmqpError(CONDITIONS.decodeError, description)

function correlationIdOf({ subject, correlationId }: MessageProperties): string {
  if (subject !== undefined && !Object.hasOwn(SUBJECTS, subject)) return ''
  if (typeof correlationId === 'string') return correlationId
  throw decodeError('correlation-id must be the string $mqtt.to.<id>.publish')
}

function clientIdOf(correlationId: string, peer: Peer): string {
  if (correlationId === '') return ''
  const clientId = spellingOf(peer).clientOf(correlationId)
  if (clientId !== undefined) return clientId
  const how = peer === 'ours' ? 'an encoded' : 'a'
  throw decodeError(
    `correlation-id ${quoted(correlationId)} is not $mqtt.to.<id>.publish with ${how} client id`
  )
}

function textOf(app: ReadonlyMap<string, AmqpValue>, name: string): string | undefined {
  const value = app.get(name)
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  throw decodeError(`application property ${name} must be a string`)
}

function deliveryOf(app: ReadonlyMap<string, AmqpValue>): DeliveryPath {
  const value = textOf(app, 'delivery')
  if (value === undefined || value === 'queue') return 'queue'
  if (value === 'inbox') return 'inbox'
  throw decodeError(`application property delivery must be queue or inbox, not ${quoted(value)}`)
}

function valueOf({ body }: Message): AmqpValue {
  if (body.type === 'value') return body.value
  throw decodeError(
    `the body must be an amqp-value section, not ${body.type === 'none' ? 'absent' : body.type}`
  )
}

const isMap = (value: AmqpValue): value is ReadonlyMap<AmqpValue, AmqpValue> => value instanceof Map
const isList = (value: AmqpValue): value is readonly AmqpValue[] => Array.isArray(value)

function subscribeFilters(value: AmqpValue): ReadonlyMap<string, Qos> {
  const filters = new Map<string, Qos>()
  if (typeof value === 'string') filters.set(value, 1)
  else if (isList(value)) for (const filter of value) filters.set(filterOf(filter), 1)
  else if (isMap(value))
    for (const [filter, qos] of value) filters.set(filterOf(filter), qosOf(filterOf(filter), qos))
  else throw decodeError('the body must be a map of filters to QoS, a list of filters or one filter')
  if (filters.size === 0) throw decodeError('the body names no filter')
  return filters
}

function unsubscribeFilters(value: AmqpValue): readonly string[] {
  if (typeof value === 'string') return [value]
  if (!isList(value) && !isMap(value))
    throw decodeError('the body must be a list of filters, one filter or a map')
  const filters = isList(value) ? value.map(filterOf) : [...value.keys()].map(filterOf)
  if (filters.length === 0) throw decodeError('the body names no filter')
  return filters
}

function filterOf(value: AmqpValue): string {
  if (typeof value === 'string') return value
  throw decodeError('a filter must be a string')
}

function qosOf(filter: string, value: AmqpValue): Qos {
  const qos = decodeQos(value)
  if (qos !== undefined) return qos
  throw decodeError(`the QoS of filter ${quoted(filter)} must be 0, 1 or 2`)
}
