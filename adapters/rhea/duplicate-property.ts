// The duplicate id of a message where a broker reads it from an application property.
// Rule: the property is set, replaced or cut out; every other byte of a message that was received stays as it came.

import type { Message } from '../../plugin/host.js'
import { EncodedMessage, findPair } from './message.js'
import { Writer } from './rhea.js'
import { SECTION } from './scan.js'
import { CODE } from './typecodes.js'

const NAME = '_AMQ_DUPL_ID'

/** undefined: the message has no id */
export function withDuplicateId(message: Message, id: Uint8Array | undefined): Message {
  if (message instanceof EncodedMessage) return spliced(message, id)
  if (id === undefined && !message.applicationProperties.has(NAME)) return message
  const { durable, priority, ttlMs, deliveryCount, annotations, properties, body } = message
  const applicationProperties = new Map(message.applicationProperties)
  if (id === undefined) applicationProperties.delete(NAME)
  else applicationProperties.set(NAME, id)
  return { durable, priority, ttlMs, deliveryCount, annotations, properties, applicationProperties, body }
}

function spliced(message: EncodedMessage, id: Uint8Array | undefined): EncodedMessage {
  const { bytes } = message
  const section = message.section(SECTION.applicationProperties)
  const old = section === undefined ? undefined : findPair(bytes, section.value, NAME)
  if (id === undefined && old?.found !== true) return message
  const before = section?.start ?? endOf(message, SECTION.properties, SECTION.messageAnnotations)
  const after = bytes.subarray(section?.end ?? before)
  const kept: Buffer[] = []
  if (old !== undefined) {
    const nameStart = old.found ? old.valueStart - nameBytes(bytes, old.valueStart) : old.end
    kept.push(bytes.subarray(old.start, nameStart), bytes.subarray(old.valueEnd, old.end))
  }
  const own = id === undefined ? Buffer.alloc(0) : pair(id)
  const pairs = Buffer.concat([...kept, own])
  const count = (old?.count ?? 0) - (old?.found === true ? 2 : 0) + (id === undefined ? 0 : 2)
  const head = Buffer.alloc(12)
  head.set([0x00, CODE.smallUlong, SECTION.applicationProperties, CODE.map32])
  head.writeUInt32BE(pairs.length + 4, 4)
  head.writeUInt32BE(count, 8)
  return new EncodedMessage(Buffer.concat([bytes.subarray(0, before), head, pairs, after]))
}

/** Where the first of these sections that is there ends; or the header and delivery annotations. */
function endOf(message: EncodedMessage, ...sections: readonly number[]): number {
  for (const each of [...sections, SECTION.deliveryAnnotations, SECTION.header]) {
    const section = message.section(each)
    if (section !== undefined) return section.end
  }
  return 0
}

/** Bytes of the encoded name that ends at `end`: its code is one of two widths. */
function nameBytes(bytes: Buffer, end: number): number {
  const length = Buffer.byteLength(NAME)
  const short = bytes[end - length - 2]
  return length + (short === CODE.str8 && bytes[end - length - 1] === length ? 2 : 5)
}

function pair(id: Uint8Array): Buffer {
  const writer = new Writer(Buffer.allocUnsafe(32 + id.length))
  writer.write_uint(CODE.str8, 1)
  writer.write_uint(NAME.length, 1)
  writer.write_bytes(Buffer.from(NAME))
  writer.write_uint(CODE.bin8, 1)
  writer.write_uint(id.length, 1)
  writer.write_bytes(Buffer.from(id))
  return writer.toBuffer()
}
