// The duplicate id that the plugin gives a message on its way to the broker of another process: a delivery annotation.
// Rule: it goes one hop: the message that the broker takes is the plugin's, byte for byte.

import { EncodedMessage } from './message.js'
import { Reader, Writer } from './rhea.js'
import { SECTION } from './scan.js'
import { CODE } from './typecodes.js'
import { readValue } from './value-reader.js'
import { writeMap, writeSymbol } from './value-writer.js'

const NAME = 'x-opt-dedup-id'

/** The bytes of a message without delivery annotations, with the id in them. */
export function withDedupId(bytes: Buffer, id: Uint8Array): Buffer {
  const writer = new Writer(Buffer.allocUnsafe(64 + id.length))
  writer.write_uint(CODE.described, 1)
  writer.write_uint(CODE.smallUlong, 1)
  writer.write_uint(SECTION.deliveryAnnotations, 1)
  writeMap(writer, new Map([[NAME, id]]), writeSymbol)
  const at = new EncodedMessage(bytes).section(SECTION.header)?.end ?? 0
  return Buffer.concat([bytes.subarray(0, at), writer.toBuffer(), bytes.subarray(at)])
}

export function dedupIdOf(message: EncodedMessage): Uint8Array | undefined {
  const section = message.section(SECTION.deliveryAnnotations)
  if (section === undefined) return undefined
  const reader = new Reader(message.bytes)
  reader.position = section.value
  const annotations = readValue(reader)
  const id = annotations instanceof Map ? annotations.get(NAME) : undefined
  return id instanceof Uint8Array ? id : undefined
}
