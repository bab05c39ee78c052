// What the broker and another process that uses it say to each other beyond AMQP: requests to `$management`, links that are forwarded,
// and tags of deliveries. docs/management.md describes it for others.
// Rule: both sides read and write with what is here, and nobody else knows a name of it.

import { AmqpError, CONDITIONS, rejectionOf } from '../../plugin/errors.js'
import type { Address, AmqpValue, Capabilities, Message } from '../../plugin/host.js'

/** Sender: requests. Receiver: answers to those of the same connection. */
export const MANAGEMENT = '$management'
/** A link of a client to a served address, for the server: `<prefix><id>/<window>` */
const LINK_PREFIX = `${MANAGEMENT}/link/`
/** A link of a client that receives from a served address, for the server, which sends: `<prefix><id>` */
const READER_PREFIX = `${MANAGEMENT}/reader/`

/** Of the source of a receiver. */
export const CAPABILITY = {
  /** keeps other consumers out */
  exclusive: 'exclusive',
  /** what AddressSpace.source promises; `sources.finish` with the link's name ends it */
  source: 'mqtt-over-amqp:source',
  /** serves the address: a delivery for each link of a client, accepted by a receiver of it, or rejected */
  serve: 'mqtt-over-amqp:serve',
  /** serves what begins with the address to clients that receive; the same, but that each is accepted by a sender */
  serveReaders: 'mqtt-over-amqp:serve-readers'
} as const

export type Operation =
  | 'describe'
  | 'authenticate'
  | 'queues.create'
  | 'queues.delete'
  | 'queues.closeConsumers'
  | 'queues.list'
  | 'queues.unattended'
  | 'queues.limit'
  | 'queues.dropped'
  | 'routes.add'
  | 'routes.remove'
  | 'routes.list'
  | 'store.put'
  | 'store.get'
  | 'store.delete'
  | 'store.entries'
  | 'sources.finish'

/** A user and its rights as data. */
export interface Rights {
  readonly name: string
  /** topic filters; undefined: all topics */
  readonly send?: readonly string[] | undefined
  /** topic filters; undefined: all topics */
  readonly receive?: readonly string[] | undefined
  /** client ids, with `*` at the end for any ending; undefined: all */
  readonly clientIds?: readonly string[] | undefined
}

export interface Description {
  readonly name: string
  readonly type: 'standard' | 'brokered'
  readonly capabilities: Capabilities
  readonly addresses: readonly Address[]
}

/** A link that a client opened to a served address, as its server is told. */
export interface LinkAnnouncement {
  readonly id: string
  readonly name: string
  /** as the client named it */
  readonly address: string
  readonly user: 'service' | Rights
}

export interface Request {
  readonly operation: string
  readonly args: ReadonlyMap<string, AmqpValue>
  readonly sections: readonly Uint8Array[]
  readonly correlationId: Message['properties']['correlationId']
}

const PLAIN = { durable: false, deliveryCount: 0, annotations: new Map() } as const

function makeMessage(
  fields: ReadonlyMap<string, AmqpValue>,
  sections: readonly Uint8Array[],
  correlationId: Request['correlationId']
): Message {
  const body = sections.length === 0 ? ({ type: 'none' } as const) : ({ type: 'data', sections } as const)
  return { ...PLAIN, properties: { correlationId }, applicationProperties: fields, body }
}

export function makeRequest(
  operation: Operation,
  args: Readonly<Record<string, string | number | undefined>>,
  sections: readonly Uint8Array[],
  correlationId: number
): Message {
  const fields = new Map<string, AmqpValue>([['operation', operation]])
  for (const [name, value] of Object.entries(args)) if (value !== undefined) fields.set(name, value)
  return makeMessage(fields, sections, correlationId)
}

export function readRequest({ properties, applicationProperties, body }: Message): Request {
  const operation = applicationProperties.get('operation')
  return {
    operation: typeof operation === 'string' ? operation : '',
    args: applicationProperties,
    sections: body.type === 'data' ? body.sections : [],
    correlationId: properties.correlationId
  }
}

/** `answer`: bytes as they are, anything else as JSON. */
export function makeReply({ correlationId }: Request, answer: unknown): Message {
  const sections = isSections(answer) ? answer : [Buffer.from(JSON.stringify(answer ?? null))]
  return makeMessage(new Map([['statusCode', 200]]), sections, correlationId)
}

export function makeFailure({ correlationId }: Request, error: unknown): Message {
  const { condition, description } = rejectionOf(error)
  const fields = new Map<string, AmqpValue>([
    ['statusCode', STATUS_CODES[condition] ?? 500],
    ['errorCondition', condition],
    ['statusDescription', description]
  ])
  return makeMessage(fields, [], correlationId)
}

const STATUS_CODES: Readonly<Record<string, number>> = {
  [CONDITIONS.decodeError]: 400,
  [CONDITIONS.unauthorized]: 403,
  [CONDITIONS.notFound]: 404,
  [CONDITIONS.resourceLocked]: 409,
  [CONDITIONS.notImplemented]: 501
}

/** The body of an answer. Throws AmqpError for a failure. */
export function readReply({ applicationProperties, body }: Message): readonly Uint8Array[] {
  if (applicationProperties.get('statusCode') !== 200) {
    const [condition, description] = ['errorCondition', 'statusDescription'].map(name =>
      String(applicationProperties.get(name) ?? '')
    )
    throw new AmqpError(condition || CONDITIONS.internalError, description ?? '')
  }
  return body.type === 'data' ? body.sections : []
}

function isSections(answer: unknown): answer is readonly Uint8Array[] {
  return Array.isArray(answer) && answer.every(each => each instanceof Uint8Array)
}

/** Empty lists are JSON too: `[]` of bytes is an answer without any. */
export function readJson<T>(sections: readonly Uint8Array[]): T {
  const [text] = sections
  return (text === undefined ? [] : JSON.parse(Buffer.from(text).toString('utf8'))) as T
}

export function makeAnnouncement(announcement: LinkAnnouncement): Message {
  return makeMessage(new Map(), [Buffer.from(JSON.stringify(announcement))], undefined)
}

export function readAnnouncement({ body }: Message): LinkAnnouncement {
  return readJson(body.type === 'data' ? body.sections : [])
}

export function linkAddress(id: string, window: number): string {
  return `${LINK_PREFIX}${id}/${window}`
}

/** Undefined for what is no address of a link. */
export function readLinkAddress(
  address: string
): { readonly id: string; readonly window: number } | undefined {
  if (!address.startsWith(LINK_PREFIX)) return undefined
  const [id = '', window = ''] = address.slice(LINK_PREFIX.length).split('/')
  return /^[1-9]\d{0,8}$/.test(window) ? { id, window: Number(window) } : undefined
}

export function readerAddress(id: string): string {
  return `${READER_PREFIX}${id}`
}

/** The id of the link; undefined for what is no address of a reader's link. */
export function readReaderAddress(address: string): string | undefined {
  return address.startsWith(READER_PREFIX) ? address.slice(READER_PREFIX.length) : undefined
}

const FAILURES_BYTES = 4

/** A delivery's tag: how often it failed here, and the queue's id for it, so that the header can stay as it came. */
export function makeTag(failures: number, id: string | undefined): Buffer {
  const tag = Buffer.alloc(FAILURES_BYTES + Buffer.byteLength(id ?? ''))
  tag.writeUInt32BE(failures, 0)
  tag.write(id ?? '', FAILURES_BYTES)
  return tag
}

/** As ReadDelivery of adapters/rhea. */
export function readTag(
  tag: Buffer,
  message: Message
): { readonly id: string | undefined; readonly deliveryCount: number } {
  const failures = tag.length < FAILURES_BYTES ? 0 : tag.readUInt32BE(0)
  const id = tag.toString('utf8', FAILURES_BYTES)
  return { id: id === '' ? undefined : id, deliveryCount: message.deliveryCount + failures }
}
