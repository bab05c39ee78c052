// Bytes of a client to packets that were checked, and packets to bytes. The only place that knows mqtt-packet.
// Rule: nothing is kept of a packet whose first bytes show that it is wrong or too large; memory is at most one packet and
// what was pushed and not yet taken; each byte is copied a bounded number of times however it was cut.

import { generate, parser, writeToStream } from 'mqtt-packet'
import type { Packet } from 'mqtt-packet'
import { BridgeError } from '../errors.js'
import type { Publication } from '../messages/publication.js'
import type { ConnectPacket, InboundPacket, OutboundPacket } from '../mqtt/packets.js'
import { MAX_HEADER_BYTES, readFixedHeader } from './fixed-header.js'
import type { FixedHeader } from './fixed-header.js'
import { checkConnect, checkSubscribe, checkUnsubscribe } from './packet-checks.js'
import { PacketPieces } from './packet-pieces.js'
import { decodePublish, encodePublish, encodePublishPacket } from './publish-codec.js'
import type { PublishCache, TopicMemory } from './publish-codec.js'

export { encodePublish, PublishCache } from './publish-codec.js'

/** May change while clients are connected: a packet keeps to what was there when it began. */
export interface PacketStreamOptions {
  /** bytes of a packet, once CONNECT was accepted */
  readonly maxPacketBytes: number
  /** bytes of a packet before that */
  readonly maxConnectBytes: number
}

const NO_BYTES = Buffer.alloc(0)

// Otherwise its first packet makes 65536 small buffers for all packet ids.
writeToStream.cacheNumbers = false

/** Takes the bytes of one client apart. */
export class PacketStream {
  readonly #options: PacketStreamOptions
  #accepted = false
  /** of the packet that is read now */
  #limit = 0
  #version: 3 | 4 = 4
  /** what is read now, from #at on */
  #chunk: Buffer = NO_BYTES
  #at = 0
  /** chunks after it; undefined: none, as nearly always */
  #waiting: Buffer[] | undefined
  /** a packet that does not lie in one chunk */
  #pieces: PacketPieces | undefined
  #failure: BridgeError | undefined
  readonly #memory: TopicMemory = { topic: '' }

  constructor(options: PacketStreamOptions) {
    this.#options = options
  }

  /** CONNECT was accepted: the larger limit counts, and the rules of its version. */
  accepted(protocolVersion: 3 | 4 | 5): void {
    this.#accepted = true
    this.#version = protocolVersion === 3 ? 3 : 4
  }

  push(chunk: Buffer): void {
    if (this.#failure !== undefined || chunk.length === 0) return
    if (this.#at === this.#chunk.length) this.#read(chunk)
    else (this.#waiting ??= []).push(chunk)
  }

  /** The next packet, what is wrong with it (again and again: nothing can be read after it), or undefined: more bytes are needed. */
  next(): InboundPacket | BridgeError | undefined {
    if (this.#failure !== undefined) return this.#failure
    while (this.#at < this.#chunk.length) {
      const packet = this.#pieces === undefined ? this.#takeWhole() : this.#takePieces(this.#pieces)
      if (packet instanceof BridgeError) return this.#fail(packet)
      if (this.#at === this.#chunk.length) this.#read(this.#waiting?.shift() ?? NO_BYTES)
      if (packet !== undefined) return packet
    }
    return undefined
  }

  /** A packet that lies in the chunk; one that does not goes on in pieces. */
  #takeWhole(): InboundPacket | BridgeError | undefined {
    const chunk = this.#chunk
    const start = this.#at
    this.#limit = this.#accepted ? this.#options.maxPacketBytes : this.#options.maxConnectBytes
    const header = readFixedHeader(chunk, start, chunk.length, this.#version, this.#limit)
    if (header instanceof BridgeError) return header
    if (header !== undefined && start + header.packetBytes <= chunk.length) {
      this.#at = start + header.packetBytes
      return this.#decode(header, chunk, start)
    }
    const expected = header?.packetBytes ?? MAX_HEADER_BYTES
    this.#pieces = new PacketPieces(expected)
    this.#at = this.#pieces.append(chunk, start, expected)
    return undefined
  }

  #takePieces(pieces: PacketPieces): InboundPacket | BridgeError | undefined {
    let header = this.#headerOf(pieces)
    while (header === undefined && this.#at < this.#chunk.length) {
      this.#at = pieces.append(this.#chunk, this.#at, pieces.size + 1)
      header = this.#headerOf(pieces)
    }
    if (header === undefined || header instanceof BridgeError) return header
    this.#at = pieces.append(this.#chunk, this.#at, header.packetBytes)
    if (pieces.size < header.packetBytes) return undefined
    this.#pieces = undefined
    return this.#decode(header, pieces.bytes, 0)
  }

  #headerOf({ bytes }: PacketPieces): FixedHeader | BridgeError | undefined {
    return readFixedHeader(bytes, 0, bytes.length, this.#version, this.#limit)
  }

  #read(chunk: Buffer): void {
    this.#chunk = chunk
    this.#at = 0
    if (this.#waiting?.length === 0) this.#waiting = undefined
  }

  #fail(failure: BridgeError): BridgeError {
    this.#failure = failure
    this.#chunk = NO_BYTES
    this.#at = 0
    this.#waiting = undefined
    this.#pieces = undefined
    return failure
  }

  /** The packet at `start` of `bytes`, all of which is there. */
  #decode(header: FixedHeader, bytes: Buffer, start: number): InboundPacket | BridgeError {
    const { cmd, flags } = header
    const bodyStart = start + header.headerBytes
    const end = start + header.packetBytes
    switch (cmd) {
      case 'publish':
        return decodePublish(bytes, bodyStart, end, flags, this.#memory)
      case 'puback':
      case 'pubrec':
      case 'pubrel':
      case 'pubcomp': {
        const packetId = bytes.readUInt16BE(bodyStart)
        return packetId === 0
          ? new BridgeError('malformedPacket', `${cmd} of packet id 0`)
          : { cmd, packetId }
      }
      case 'pingreq':
      case 'disconnect':
        return { cmd }
      case 'connect':
        return checkConnect(bytes.subarray(bodyStart, end)) ?? this.#parse(bytes.subarray(start, end))
      case 'subscribe':
        return checkSubscribe(bytes.subarray(bodyStart, end)) ?? this.#parse(bytes.subarray(start, end))
      case 'unsubscribe':
        return checkUnsubscribe(bytes.subarray(bodyStart, end)) ?? this.#parse(bytes.subarray(start, end))
      default:
        return cmd satisfies never
    }
  }

  /** A rare packet, checked, through mqtt-packet. */
  #parse(bytes: Buffer): InboundPacket {
    // mqtt-packet does not know DUP of MQTT 3.1 on these.
    const first = Buffer.of((bytes[0] ?? 0) & ~0x08)
    const packets: Packet[] = []
    const parsing = parser({ protocolVersion: this.#version })
    parsing.on('packet', packet => packets.push(packet))
    parsing.on('error', (error: unknown) => {
      throw new Error('mqtt-packet refuses what was checked', { cause: error })
    })
    parsing.parse(first)
    parsing.parse(bytes.subarray(1))
    const [packet] = packets
    if (packet === undefined) throw new Error('mqtt-packet gives nothing for what was checked')
    return toInbound(packet)
  }
}

function toInbound(packet: Packet): InboundPacket {
  switch (packet.cmd) {
    case 'connect':
      return toConnect(packet)
    case 'subscribe':
      return {
        cmd: 'subscribe',
        packetId: packet.messageId ?? 0,
        filters: packet.subscriptions.map(({ topic, qos }) => ({ filter: topic, qos }))
      }
    case 'unsubscribe':
      return { cmd: 'unsubscribe', packetId: packet.messageId ?? 0, filters: packet.unsubscriptions }
    default:
      throw new Error(`mqtt-packet reads ${packet.cmd}`)
  }
}

function toConnect(packet: Packet & { cmd: 'connect' }): ConnectPacket {
  const { clientId, protocolVersion = 4, clean = true, keepalive = 0, username, password, will } = packet
  return {
    cmd: 'connect',
    protocolVersion,
    clientId,
    clean,
    keepAliveS: keepalive,
    username,
    // copies, for a view keeps the whole chunk alive
    password: password === undefined ? undefined : Buffer.from(password),
    will: will && {
      topic: will.topic,
      payload: Buffer.from(will.payload),
      qos: will.qos ?? 0,
      retain: will.retain ?? false
    }
  }
}

const PINGRESP = Buffer.of(0xd0, 0)
/** First bytes of packets that are an id and nothing else. */
const ACKS = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const

/**
 * A packet of MQTT 3.1 or 3.1.1 as bytes, for reading. `publication`: what a PUBLISH was made from; with a `cache` clients that get
 * the same publication share its encoding.
 */
export function encodePacket(
  packet: OutboundPacket,
  publication?: Publication,
  cache?: PublishCache
): Buffer {
  switch (packet.cmd) {
    case 'publish':
      if (publication === undefined || cache === undefined) return encodePublishPacket(packet)
      return encodePublish(publication, packet.qos, packet.packetId, packet.dup, packet.retain, cache)
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return Buffer.of(ACKS[packet.cmd], 2, packet.packetId >> 8, packet.packetId & 0xff)
    case 'pingresp':
      return PINGRESP
    case 'connack': {
      const { returnCode, sessionPresent } = packet
      return generate({ cmd: 'connack', returnCode, sessionPresent })
    }
    case 'suback':
      return generate({ cmd: 'suback', messageId: packet.packetId, granted: [...packet.codes] })
    case 'unsuback':
      return generate({ cmd: 'unsuback', messageId: packet.packetId, granted: [] })
    default:
      return packet satisfies never
  }
}
