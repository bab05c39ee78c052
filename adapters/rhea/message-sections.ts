// The sections of an AMQP message with typed fields, header and properties, and the writing of a whole message.
// Rule: a field has the AMQP type of its section (part 3, section 3.2), whatever its value looks like in JavaScript.

import type { AmqpTyped, AmqpValue, Message, MessageId, MessageProperties } from '../../plugin/host.js'
import type { Reader } from './rhea.js'
import { Writer } from './rhea.js'
import { SECTION } from './scan.js'
import { CODE } from './typecodes.js'
import { readValue } from './value-reader.js'
import {
  writeBinary,
  writeList,
  writeMap,
  writeSymbol,
  writeText,
  writeTyped,
  writeValue
} from './value-writer.js'

export interface Header {
  readonly durable: boolean
  readonly priority?: number | undefined
  /** ms */
  readonly ttlMs?: number | undefined
  readonly deliveryCount: number
}

export const NO_HEADER: Header = Object.freeze({ durable: false, deliveryCount: 0 })

/** MQTT's longest expiry is longer than the longest ttl, which is 49 days. */
const MAX_UINT = 0xffffffff
const MAX_DATE_MS = 8.64e15

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Reads a scanned header. */
export function readHeader(reader: Reader): Header {
  const [durable, priority, ttlMs, , deliveryCount] = readValue(reader) as AmqpValue[] // the scan proved the types
  const header: Mutable<Header> = { durable: durable === true, deliveryCount: Number(deliveryCount ?? 0) }
  if (typeof priority === 'number') header.priority = priority
  if (typeof ttlMs === 'number') header.ttlMs = ttlMs
  return header
}

/** Field names in the order of the properties section. */
const PROPERTIES = [
  'messageId',
  'userId',
  'to',
  'subject',
  'replyTo',
  'correlationId',
  'contentType',
  'contentEncoding',
  'absoluteExpiryTime',
  'creationTime',
  'groupId',
  'groupSequence',
  'replyToGroupId'
] as const satisfies readonly (keyof MessageProperties)[]

/** Reads scanned properties. */
export function readProperties(reader: Reader): MessageProperties {
  const fields = readValue(reader) as AmqpValue[]
  const properties: Record<string, unknown> = {}
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]
    const name = PROPERTIES[i]
    if (field === null || name === undefined) continue
    properties[name] = i === 8 || i === 9 ? Number((field as AmqpTyped).value) : field
  }
  return properties as MessageProperties // the scan proved the types
}

/** Writes all sections of `message`, with `header` in place of its own. */
export function writeSections(writer: Writer, message: Message, header: Header): void {
  writeHeader(writer, header)
  if (message.annotations.size > 0) {
    writeDescriptor(writer, SECTION.messageAnnotations)
    writeMap(writer, message.annotations, writeSymbol)
  }
  writeProperties(writer, message.properties)
  if (message.applicationProperties.size > 0) {
    writeDescriptor(writer, SECTION.applicationProperties)
    writeMap(writer, message.applicationProperties, writeValue)
  }
  writeBody(writer, message.body)
}

/** An encoded header section; none where everything is a default. */
export function headerBytes(header: Header): Buffer {
  const writer = new Writer(Buffer.allocUnsafe(32))
  writeHeader(writer, header)
  return writer.toBuffer()
}

function writeDescriptor(writer: Writer, section: number): void {
  writer.write_uint(CODE.described, 1)
  writer.write_uint(CODE.smallUlong, 1)
  writer.write_uint(section, 1)
}

/** Starts a list whose size and count endList fills in. */
function startList(writer: Writer): number {
  writer.write_uint(CODE.list32, 1)
  const at = writer.position
  writer.write_uint(0, 4)
  writer.write_uint(0, 4)
  return at
}

function endList(writer: Writer, at: number, count: number): void {
  writer.buffer.writeUInt32BE(writer.position - at - 4, at)
  writer.buffer.writeUInt32BE(count, at + 4)
}

function writeNulls(writer: Writer, count: number): void {
  for (let i = 0; i < count; i++) writer.write_uint(CODE.null, 1)
}

function writeUint(writer: Writer, value: number): void {
  if (value > 0xff) {
    writer.write_uint(CODE.uint, 1)
    writer.write_uint(value, 4)
  } else {
    writer.write_uint(CODE.smallUint, 1)
    writer.write_uint(value, 1)
  }
}

function writeHeader(writer: Writer, { durable, priority, ttlMs, deliveryCount }: Header): void {
  if (!durable && priority === undefined && ttlMs === undefined && deliveryCount === 0) return
  writeDescriptor(writer, SECTION.header)
  const list = startList(writer)
  let count = 1
  writer.write_uint(durable ? CODE.true : CODE.false, 1)
  if (priority !== undefined) {
    writer.write_uint(CODE.ubyte, 1)
    writer.write_uint(priority, 1)
    count = 2
  }
  if (ttlMs !== undefined) {
    writeNulls(writer, 2 - count)
    writeUint(writer, Math.min(Math.max(Math.trunc(ttlMs), 0), MAX_UINT))
    count = 3
  }
  if (deliveryCount > 0) {
    writeNulls(writer, 4 - count)
    writeUint(writer, deliveryCount)
    count = 5
  }
  endList(writer, list, count)
}

function writeProperties(writer: Writer, properties: MessageProperties): void {
  const start = writer.position
  writeDescriptor(writer, SECTION.properties)
  const list = startList(writer)
  let count = 0
  for (let i = 0; i < PROPERTIES.length; i++) {
    const name = PROPERTIES[i]
    const value = name === undefined ? undefined : properties[name]
    if (value === undefined) continue
    writeNulls(writer, i - count)
    writeProperty(writer, i, value)
    count = i + 1
  }
  if (count === 0) writer.position = start
  else endList(writer, list, count)
}

function writeProperty(writer: Writer, index: number, value: MessageId): void {
  switch (index) {
    case 0:
    case 5:
      return writeMessageId(writer, value)
    case 6:
    case 7:
      return writeSymbol(writer, value as string)
    case 8:
    case 9:
      return writeTyped(writer, { type: 'timestamp', value: dateRange(value as number) })
    case 11:
      return writeUint(writer, value as number)
    default:
      if (value instanceof Uint8Array) writeBinary(writer, value)
      else writeText(writer, value as string, CODE.str8, CODE.str32)
  }
}

/** What JavaScript's dates can hold; a peer's value may be anything. */
function dateRange(ms: number): number {
  return Math.min(Math.max(Math.trunc(ms), -MAX_DATE_MS), MAX_DATE_MS)
}

function writeMessageId(writer: Writer, id: MessageId): void {
  if (typeof id === 'string') writeText(writer, id, CODE.str8, CODE.str32)
  else if (id instanceof Uint8Array) writeBinary(writer, id)
  else if (typeof id === 'object') writeTyped(writer, id)
  else if (id < 0)
    writeValue(writer, id) // no ulong: a peer wrote it so
  else if (id >= 0 && id <= 0xff) {
    writer.write_uint(CODE.smallUlong, 1)
    writer.write_uint(Number(id), 1)
  } else writeTyped(writer, { type: 'ulong', value: id })
}

function writeBody(writer: Writer, body: Message['body']): void {
  switch (body.type) {
    case 'none':
      return
    case 'data':
      for (const section of body.sections) {
        writeDescriptor(writer, SECTION.data)
        writeBinary(writer, section)
      }
      return
    case 'sequence':
      for (const section of body.sections) {
        writeDescriptor(writer, SECTION.sequence)
        writeList(writer, section)
      }
      return
    case 'value':
      writeDescriptor(writer, SECTION.value)
      writeValue(writer, body.value)
      return
    default:
      body satisfies never
  }
}
