// AMQP messages as bytes: what a peer or a store handed in, decoded only where somebody looks, and what we send, encoded once.
// Rule: received bytes are never decoded and encoded again. What must change (header, one annotation, delivery annotations) is cut
// out and replaced; every other byte stays as it came.

import type { AmqpValue, Message, MessageBody, MessageProperties } from '../../plugin/host.js'
import { headerBytes, NO_HEADER, readHeader, readProperties, writeSections } from './message-sections.js'
import type { Header } from './message-sections.js'
import { Reader, Writer } from './rhea.js'
import { scanMessage, SECTION, STRIDE } from './scan.js'
import type { Sections } from './scan.js'
import { readValue } from './value-reader.js'
import { writeSymbol, writeText } from './value-writer.js'
import { CODE } from './typecodes.js'

const EMPTY: ReadonlyMap<string, AmqpValue> = new Map()
const NO_PROPERTIES: MessageProperties = Object.freeze({})
const NO_BODY: MessageBody = Object.freeze({ type: 'none' })

/** A message that is its bytes. Throws AmqpError `amqp:decode-error` for bytes that are no message. */
export class EncodedMessage implements Message {
  readonly bytes: Buffer
  readonly #sections: Sections
  #header: Header | undefined
  #annotations: ReadonlyMap<string, AmqpValue> | undefined
  #properties: MessageProperties | undefined
  #applicationProperties: ReadonlyMap<string, AmqpValue> | undefined
  #body: MessageBody | undefined

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#sections = scanMessage(this.bytes)
  }

  /** The header as sent, with AMQP's defaults where there is none. */
  get header(): Header {
    return (this.#header ??= this.#read(SECTION.header, readHeader) ?? NO_HEADER)
  }

  get durable(): boolean {
    return this.header.durable
  }

  get priority(): number | undefined {
    return this.header.priority
  }

  get ttlMs(): number | undefined {
    return this.header.ttlMs
  }

  get deliveryCount(): number {
    return this.header.deliveryCount
  }

  get annotations(): ReadonlyMap<string, AmqpValue> {
    return (this.#annotations ??= this.#read(SECTION.messageAnnotations, readTextMap) ?? EMPTY)
  }

  /** One annotation; the others are not kept. */
  annotation(name: string): AmqpValue | undefined {
    if (this.#annotations !== undefined) return this.#annotations.get(name)
    const section = this.section(SECTION.messageAnnotations)
    if (section === undefined) return undefined
    const { found, valueStart } = findPair(this.bytes, section.value, name)
    return found ? readValue(readerAt(this.bytes, valueStart)) : undefined
  }

  get properties(): MessageProperties {
    return (this.#properties ??= this.#read(SECTION.properties, readProperties) ?? NO_PROPERTIES)
  }

  get applicationProperties(): ReadonlyMap<string, AmqpValue> {
    return (this.#applicationProperties ??= this.#read(SECTION.applicationProperties, readTextMap) ?? EMPTY)
  }

  get body(): MessageBody {
    return (this.#body ??= this.#readBody())
  }

  /** Where a section is: its start, its value's start, its end. Undefined where the message has none. */
  section(
    code: number
  ): { readonly start: number; readonly value: number; readonly end: number } | undefined {
    const index = this.#find(code)
    if (index < 0) return undefined
    const [, start = 0, value = 0] = this.#sections.slice(index)
    return { start, value, end: this.#sections[index + STRIDE + 1] ?? this.bytes.length }
  }

  #find(code: number): number {
    const sections = this.#sections
    for (let i = 0; i < sections.length; i += STRIDE) if (sections[i] === code) return i
    return -1
  }

  #reader(index: number): Reader {
    return readerAt(this.bytes, this.#sections[index + 2] ?? 0)
  }

  #read<T>(code: number, read: (reader: Reader) => T): T | undefined {
    const index = this.#find(code)
    return index < 0 ? undefined : read(this.#reader(index))
  }

  #readBody(): MessageBody {
    const value = this.#find(SECTION.value)
    if (value >= 0) return { type: 'value', value: readValue(this.#reader(value)) }
    const data = this.#readAll<Uint8Array>(SECTION.data)
    if (data.length > 0) return { type: 'data', sections: data }
    const sequence = this.#readAll<readonly AmqpValue[]>(SECTION.sequence)
    return sequence.length > 0 ? { type: 'sequence', sections: sequence } : NO_BODY
  }

  #readAll<T extends AmqpValue>(code: number): readonly T[] {
    const found: T[] = []
    for (let i = 0; i < this.#sections.length; i += STRIDE) {
      if (this.#sections[i] === code) found.push(readValue(this.#reader(i)) as T) // the scan proved the type
    }
    return found
  }
}

function readerAt(bytes: Buffer, position: number): Reader {
  const reader = new Reader(bytes)
  reader.position = position
  return reader
}

function readTextMap(reader: Reader): ReadonlyMap<string, AmqpValue> {
  const map = readValue(reader) as ReadonlyMap<AmqpValue, AmqpValue> // the scan proved it
  for (const key of map.keys()) if (typeof key !== 'string') return withTextKeys(map)
  return map as ReadonlyMap<string, AmqpValue>
}

function withTextKeys(map: ReadonlyMap<AmqpValue, AmqpValue>): ReadonlyMap<string, AmqpValue> {
  const texts = new Map<string, AmqpValue>()
  for (const [key, value] of map) texts.set(String(key), value)
  return texts
}

/** The message's bytes, or new ones by the rules of Message and AmqpValue. Itself when it is encoded already. */
export function encodeMessage(message: Message): EncodedMessage {
  return message instanceof EncodedMessage ? message : new EncodedMessage(encode(message, message))
}

/** `header` in place of the message's own. */
function encode(message: Message, header: Header): Buffer {
  const writer = new Writer(Buffer.allocUnsafe(sizeHint(message)))
  writeSections(writer, message, header)
  return writer.toBuffer()
}

function sizeHint(message: Message): number {
  let size = 256 + 64 * (message.annotations.size + message.applicationProperties.size)
  if (message.body.type === 'data') for (const section of message.body.sections) size += section.length + 8
  return size
}

/** The message with one annotation, a string, set or replaced; nothing else of it changes. */
export function withAnnotation(message: Message, name: string, value: string): Message {
  if (message instanceof EncodedMessage) return new EncodedMessage(spliceAnnotation(message, name, value))
  const { durable, priority, ttlMs, deliveryCount, properties, applicationProperties, body } = message
  const annotations = new Map(message.annotations).set(name, value)
  return { durable, priority, ttlMs, deliveryCount, annotations, properties, applicationProperties, body }
}

function spliceAnnotation(message: EncodedMessage, name: string, value: string): Buffer {
  const { bytes } = message
  const section = message.section(SECTION.messageAnnotations)
  const old = section === undefined ? NO_PAIRS : findPair(bytes, section.value, name)
  const writer = new Writer(Buffer.allocUnsafe(48 + 3 * (name.length + value.length)))
  writer.write_uint(CODE.described, 1)
  writer.write_uint(CODE.smallUlong, 1)
  writer.write_uint(SECTION.messageAnnotations, 1)
  writer.write_uint(CODE.map32, 1)
  const sizeAt = writer.position
  writer.write_uint(0, 4)
  writer.write_uint(old.count + (old.found ? 0 : 2), 4)
  const headEnd = writer.position
  if (!old.found) writeSymbol(writer, name)
  writeText(writer, value, CODE.str8, CODE.str32)
  const written = writer.toBuffer()
  const kept = old.valueStart - old.start + (old.end - old.valueEnd)
  written.writeUInt32BE(written.length - sizeAt - 4 + kept, sizeAt)
  const before = section?.start ?? beforeAnnotations(message)
  return Buffer.concat([
    bytes.subarray(0, before),
    written.subarray(0, headEnd),
    bytes.subarray(old.start, old.valueStart),
    written.subarray(headEnd),
    bytes.subarray(old.valueEnd, old.end),
    bytes.subarray(section?.end ?? before)
  ])
}

/** Where message annotations go in a message that has none. */
function beforeAnnotations(message: EncodedMessage): number {
  return message.section(SECTION.deliveryAnnotations)?.end ?? message.section(SECTION.header)?.end ?? 0
}

export interface Pairs {
  /** elements: two for each pair */
  readonly count: number
  readonly found: boolean
  /** of the pairs, in the message's bytes */
  readonly start: number
  readonly end: number
  /** of the named pair's value; both are `end` where there is none */
  readonly valueStart: number
  readonly valueEnd: number
}

const NO_PAIRS: Pairs = { count: 0, found: false, start: 0, end: 0, valueStart: 0, valueEnd: 0 }

export function findPair(bytes: Buffer, mapAt: number, name: string): Pairs {
  const reader = readerAt(bytes, mapAt)
  const width = reader.read_uint(1) === CODE.map8 ? 1 : 4
  const end = reader.read_uint(width) + mapAt + 1 + width
  const count = reader.read_uint(width)
  const start = reader.position
  for (let i = 0; i < count; i += 2) {
    const key = readValue(reader)
    const valueStart = reader.position
    readValue(reader)
    if (key === name) return { count, found: true, start, end, valueStart, valueEnd: reader.position }
  }
  return { count, found: false, start, end, valueStart: end, valueEnd: end }
}

/**
 * The bytes to deliver: `deliveryCount` and `ttlMs` (undefined: as the message has it) in the header, delivery annotations left out,
 * since they are for the next hop only; the rest as it is.
 */
export function bytesForDelivery(
  message: Message,
  header: { readonly deliveryCount: number; readonly ttlMs?: number | undefined }
): Buffer {
  const { deliveryCount, ttlMs = message.ttlMs } = header
  const changes = deliveryCount !== message.deliveryCount || ttlMs !== message.ttlMs
  const { durable, priority } = message
  if (!(message instanceof EncodedMessage))
    return encode(message, { durable, priority, ttlMs, deliveryCount })
  const { bytes } = message
  const old = message.section(SECTION.header)
  const annotations = message.section(SECTION.deliveryAnnotations)
  if (!changes && annotations === undefined) return bytes
  const rest = bytes.subarray(annotations?.end ?? old?.end ?? 0)
  if (!changes) return Buffer.concat([bytes.subarray(0, annotations?.start ?? 0), rest])
  return Buffer.concat([headerBytes({ durable, priority, ttlMs, deliveryCount }), rest])
}
