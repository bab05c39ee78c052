// Packets made by hand, byte by byte, so that they can be wrong in any way.

import assert from 'node:assert/strict'
import type { FailureCode } from '../../../plugin/errors.js'
import { BridgeError } from '../../../plugin/errors.js'
import { PacketStream } from '../../../plugin/gateway/packet-stream.js'
import type { PacketStreamOptions } from '../../../plugin/gateway/packet-stream.js'
import type { InboundPacket } from '../../../plugin/mqtt/packets.js'

export type Part = number | string | Uint8Array

/** A number is one byte, a string is one with its length, anything else is itself. */
export function bytes(...parts: readonly Part[]): Buffer {
  return Buffer.concat(
    parts.map(part => {
      if (typeof part === 'number') return Buffer.of(part)
      return typeof part === 'string' ? field(Buffer.from(part)) : part
    })
  )
}

/** Bytes behind their length in two bytes, as strings and binaries are. */
export function field(content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(content.length >> 8, content.length & 0xff), content])
}

/** A packet whose length is right. */
export function packet(first: number, ...parts: readonly Part[]): Buffer {
  const body = bytes(...parts)
  const length: number[] = []
  let rest = body.length
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
    rest >>= 7
  } while (rest > 0)
  return bytes(first, Buffer.from(length), body)
}

export function connect(flags: number, ...payload: readonly Part[]): Buffer {
  return packet(0x10, 'MQTT', 4, flags, 0, 60, ...payload)
}

export const OPTIONS: PacketStreamOptions = { maxPacketBytes: 1_000_000, maxConnectBytes: 65_536 }

/** A stream whose CONNECT was accepted. */
export function acceptedStream(version: 3 | 4 = 4, options: Partial<PacketStreamOptions> = {}): PacketStream {
  const stream = new PacketStream({ ...OPTIONS, ...options })
  stream.accepted(version)
  return stream
}

/** All packets of the stream, up to the failure if there is one. */
export function readAll(stream: PacketStream): (InboundPacket | BridgeError)[] {
  const packets: (InboundPacket | BridgeError)[] = []
  for (let next = stream.next(); next !== undefined; next = stream.next()) {
    packets.push(next)
    if (next instanceof BridgeError) break
  }
  return packets
}

/** Surrogates have no UTF-8. */
export const SURROGATE = field(Buffer.from([0x61, 0xed, 0xa0, 0x80]))
const OVERLONG = field(Buffer.from([0xc0, 0x80]))
export const CUT = field(Buffer.from([0x61, 0xe2, 0x82]))
const BEYOND = field(Buffer.from([0xf4, 0x90, 0x80, 0x80]))
export const BAD_UTF8 = [
  SURROGATE,
  OVERLONG,
  CUT,
  BEYOND,
  field(Buffer.from([0x80])),
  field(Buffer.from([0xff]))
]
export const NUL = field(Buffer.from('a\0b'))

/** The first thing that comes out of these bytes. */
export function read(content: Buffer, version: 3 | 4 = 4): InboundPacket | BridgeError | undefined {
  const stream = acceptedStream(version)
  stream.push(content)
  return stream.next()
}

/** The first thing that comes out of each of these is this failure. */
export function assertRefused(code: FailureCode, ...contents: readonly Buffer[]): void {
  for (const content of contents) {
    const failure = read(content)
    assert.ok(failure instanceof BridgeError, `${content.toString('hex')} was read`)
    assert.equal(failure.code, code, `${content.toString('hex')}: ${failure.message}`)
  }
}

export function assertMalformed(...contents: readonly Buffer[]): void {
  assertRefused('malformedPacket', ...contents)
}
