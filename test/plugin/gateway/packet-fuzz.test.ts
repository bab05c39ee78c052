// Good packets with bytes changed, cut, doubled and dropped. FUZZ_ROUNDS and FUZZ_SEED choose how many and which.

import assert from 'node:assert/strict'
import { parser } from 'mqtt-packet'
import type { Packet } from 'mqtt-packet'
import { BridgeError } from '../../../plugin/errors.js'
import { PacketStream } from '../../../plugin/gateway/packet-stream.js'
import type { InboundPacket } from '../../../plugin/mqtt/packets.js'
import { connect, OPTIONS, packet } from './bytes.js'

const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? 10_000)
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 0x7fff_ffff)

const CORPUS: readonly Buffer[] = [
  connect(0x02, 'id'),
  connect(0xee, 'id', 'will/ü', 'message', 'ann', 'secret'),
  packet(0x10, 'MQIsdp', 3, 2, 0, 60, 'id'),
  packet(0x10, 'MQTT', 5, 2, 0, 60, Buffer.of(5, 0x11, 0, 0, 0, 10), 'id'),
  packet(0x30, 'a/b', Buffer.from('payload')),
  packet(0x32, 'a/ü', 1, 2, Buffer.from('payload')),
  packet(0x3d, 'a', 1, 2, Buffer.alloc(200, 7)),
  packet(0x40, 1, 2),
  packet(0x50, 1, 2),
  packet(0x62, 1, 2),
  packet(0x70, 1, 2),
  packet(0x82, 1, 2, 'a/+', 1, 'b/#', 0, '😀', 2),
  packet(0xa2, 1, 2, 'a/+', 'b/#'),
  packet(0xc0),
  packet(0xe0)
]

const NAMED = new Set(['malformedPacket', 'protocolError', 'packetTooLarge', 'protocolVersion'])

/** Mulberry32: numbers from 0 to `below`, the same for the same seed. */
function makeRandom(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

function mutate(content: Buffer, random: (below: number) => number): Buffer {
  const at = random(content.length)
  const before = content.subarray(0, at)
  switch (random(7)) {
    case 0:
      return Buffer.concat([before, Buffer.of(random(256)), content.subarray(at + 1)])
    case 1:
      return Buffer.concat([
        before,
        Buffer.of((content[at] ?? 0) ^ (1 << random(8))),
        content.subarray(at + 1)
      ])
    case 2:
      return before
    case 3:
      return Buffer.concat([before, content.subarray(at + 1 + random(3))])
    case 4:
      return Buffer.concat([before, Buffer.of(random(256), random(256)), content.subarray(at)])
    case 5:
      return Buffer.concat([
        before,
        Buffer.of([0, 0xff, 0x80, 0x7f][random(4)] ?? 0),
        content.subarray(at + 1)
      ])
    default:
      return Buffer.concat([content, CORPUS[random(CORPUS.length)] ?? content])
  }
}

/** A mutant whose length is right again, so that what is behind the fixed header is reached. */
function withLength(content: Buffer): Buffer {
  return content.length < 2 ? content : packet(content[0] ?? 0, content.subarray(2))
}

function readOne(
  content: Buffer,
  version: 3 | 4 | undefined,
  cut: number
): InboundPacket | BridgeError | undefined {
  const stream = new PacketStream(OPTIONS)
  if (version !== undefined) stream.accepted(version)
  stream.push(content.subarray(0, cut))
  const early = stream.next()
  stream.push(content.subarray(cut))
  return early ?? stream.next()
}

/** What is read must be what mqtt-packet reads of the same bytes. */
function assertSame(read: InboundPacket, content: Buffer): void {
  const packets: Packet[] = []
  const parsing = parser({ protocolVersion: 4 })
  parsing.on('packet', parsed => packets.push(parsed))
  parsing.on('error', () => undefined)
  parsing.parse(
    Buffer.concat([
      Buffer.of((content[0] ?? 0) & (read.cmd === 'publish' ? 0xff : 0xf7)),
      content.subarray(1)
    ])
  )
  const [parsed] = packets
  assert.equal(parsed?.cmd, read.cmd)
  if (read.cmd === 'publish' && parsed?.cmd === 'publish') {
    assert.equal(read.topic, parsed.topic)
    assert.deepEqual(Buffer.from(read.payload), Buffer.from(parsed.payload))
    assert.equal(read.packetId, parsed.messageId)
    assert.deepEqual([read.qos, read.dup, read.retain], [parsed.qos, parsed.dup, parsed.retain])
  } else if ('packetId' in read) assert.equal(read.packetId, parsed?.messageId)
}

describe('PacketStream, whatever bytes come', () => {
  it(`names what is wrong with ${ROUNDS} mutants and never throws, seed ${SEED} [MQTT3-4.8.0-1]`, function () {
    this.timeout(20_000 + ROUNDS)
    const random = makeRandom(SEED)
    const counts = { read: 0, refused: 0, incomplete: 0 }
    for (let round = 0; round < ROUNDS; round++) {
      let content = CORPUS[random(CORPUS.length)] ?? Buffer.alloc(0)
      for (let changes = random(3); changes >= 0; changes--)
        if (content.length > 0) content = mutate(content, random)
      if (random(2) === 0) content = withLength(content)
      const version = ([undefined, 3, 4] as const)[random(3)]
      const read = readOne(content, version, random(content.length + 1))
      if (read === undefined) counts.incomplete++
      else if (read instanceof BridgeError) {
        counts.refused++
        assert.ok(NAMED.has(read.code), read.code)
      } else {
        counts.read++
        assertSame(read, content)
      }
    }
    assert.ok(counts.read > ROUNDS / 20 && counts.refused > ROUNDS / 20, JSON.stringify(counts))
  })
})
