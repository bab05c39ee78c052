// PUBLISH of MQTT 3.1 and 3.1.1 from and to bytes, without the parser: it is most of all traffic, and its bytes are walked here
// for the checks anyway.
// Rule: for one publication to many clients topic and payload are encoded once.

import { BridgeError } from '../errors.js'
import type { Publication } from '../messages/publication.js'
import type { PublishPacket, Qos } from '../mqtt/packets.js'
import { decodeUtf8 } from './utf8.js'

const PUBLISH = 0x30
const DUP = 0x08
const RETAIN = 0x01
/** Payloads below this are always copied: keeping a large chunk alive costs more than that. */
const COPY_BYTES = 1024

/** The last topic name of a client: most publish to few, and the same string has its hash already. */
export interface TopicMemory {
  topic: string
}

/** `bytes` from `start` to `end`: the packet after its fixed header, whose `flags` are given. */
export function decodePublish(
  bytes: Buffer,
  start: number,
  end: number,
  flags: number,
  memory: TopicMemory
): PublishPacket | BridgeError {
  const dup = (flags & DUP) !== 0
  const retain = (flags & RETAIN) !== 0
  const qos = (flags >> 1) & 3
  if (qos === 3) return malformed('QoS 3') // [MQTT3-3.3.1-4]
  if (dup && qos === 0) return malformed('DUP with QoS 0') // [MQTT3-3.3.1-2]
  const topicStart = start + 2
  const topicEnd = topicStart + readNumber(bytes, start)
  const payloadStart = qos === 0 ? topicEnd : topicEnd + 2
  // also where the length itself is cut off, whatever was read for it
  if (payloadStart > end) return malformed('topic name or packet id are cut off')
  const topic = readTopic(bytes, topicStart, topicEnd, memory)
  if (topic === undefined) return malformed('the topic name is no UTF-8 string') // [MQTT3-3.3.2-1]
  const payload = keepPayload(bytes, payloadStart, end)
  if (qos === 0) return { cmd: 'publish', topic, payload, qos, retain, dup, packetId: undefined }
  const packetId = readNumber(bytes, topicEnd)
  if (packetId === 0) return malformed('packet id 0') // [MQTT3-2.3.1-1]
  return { cmd: 'publish', topic, payload, qos: qos as Qos, retain, dup, packetId }
}

function malformed(detail: string): BridgeError {
  return new BridgeError('malformedPacket', detail)
}

function readNumber(bytes: Buffer, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

function readTopic(bytes: Buffer, start: number, end: number, memory: TopicMemory): string | undefined {
  const { topic } = memory
  if (topic.length === end - start && isSame(topic, bytes, start)) return topic
  const read = decodeUtf8(bytes, start, end)
  // As many bytes as characters: ASCII, so that the comparison above is one of characters.
  if (read?.length === end - start) memory.topic = read
  return read
}

function isSame(text: string, bytes: Buffer, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false
  return true
}

/** A view keeps all of its memory alive for as long as the payload sits in a queue. */
function keepPayload(bytes: Buffer, start: number, end: number): Buffer {
  const size = end - start
  if (size >= COPY_BYTES && bytes.buffer.byteLength <= 2 * size) return bytes.subarray(start, end)
  const copy = Buffer.allocUnsafe(size)
  bytes.copy(copy, 0, start, end)
  return copy
}

/** The encoding of one publication, for its fan-out; one at a time, so one for a whole gateway will do. */
export class PublishCache {
  publication: Publication | undefined
  /** QoS 0 without RETAIN: the same bytes for everyone */
  plain: Buffer | undefined
  /** QoS > 0: all bytes but the first and the packet id are the same for everyone */
  pattern: Buffer | undefined
}

/** A PUBLISH of `publication`; the bytes may be those that other clients get, so they are for reading. */
export function encodePublish(
  publication: Publication,
  qos: Qos,
  packetId: number | undefined,
  dup: boolean,
  retain: boolean,
  cache: PublishCache
): Buffer {
  if (cache.publication !== publication) {
    cache.publication = publication
    cache.plain = undefined
    cache.pattern = undefined
  }
  const { topic, payload } = publication
  const first = PUBLISH | (dup ? DUP : 0) | (qos << 1) | (retain ? RETAIN : 0)
  if (packetId === undefined) {
    if (retain) return encode(first, topic, undefined, payload)
    return (cache.plain ??= encode(first, topic, undefined, payload))
  }
  if (cache.pattern === undefined) return (cache.pattern = encode(first, topic, packetId, payload))
  const bytes = Buffer.from(cache.pattern)
  bytes[0] = first
  writeNumber(bytes, bytes.length - payload.length - 2, packetId)
  return bytes
}

/** A PUBLISH that nobody else gets. */
export function encodePublishPacket(packet: PublishPacket): Buffer {
  const { topic, payload, qos, packetId, dup, retain } = packet
  return encode(
    PUBLISH | (dup ? DUP : 0) | (qos << 1) | (retain ? RETAIN : 0),
    topic,
    qos === 0 ? undefined : packetId,
    payload
  )
}

function encode(first: number, topic: string, packetId: number | undefined, payload: Uint8Array): Buffer {
  const topicBytes = Buffer.byteLength(topic)
  const rest = 2 + topicBytes + (packetId === undefined ? 0 : 2) + payload.length
  const headerBytes = rest < 128 ? 2 : rest < 16_384 ? 3 : rest < 2_097_152 ? 4 : 5
  const bytes = Buffer.allocUnsafe(headerBytes + rest)
  bytes[0] = first
  let length = rest
  for (let at = 1; at < headerBytes; at++) {
    bytes[at] = (length & 0x7f) | (at < headerBytes - 1 ? 0x80 : 0)
    length >>= 7
  }
  let at = writeNumber(bytes, headerBytes, topicBytes)
  at += bytes.write(topic, at)
  if (packetId !== undefined) at = writeNumber(bytes, at, packetId)
  bytes.set(payload, at)
  return bytes
}

function writeNumber(bytes: Buffer, at: number, value: number): number {
  bytes[at] = value >> 8
  bytes[at + 1] = value & 0xff
  return at + 2
}
