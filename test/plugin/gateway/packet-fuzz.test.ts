// Good packets with bytes changed, cut, doubled and dropped. FUZZ_ROUNDS and FUZZ_SEED choose how many and which.

import assert from 'node:assert/strict'
import { parser } from 'mqtt-packet'
import type { Packet } from 'mqtt-packet'
import { BridgeError } from '../../../plugin/errors.js'
import { PacketStream } from '../../../plugin/gateway/packet-stream.js'
import type { InboundPacket } from '../../../plugin/mqtt/packets.js'
import { makeMutant, makeRandom } from '../../fixtures/packet-mutants.js'
import { OPTIONS } from './bytes.js'

const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? 10_000)
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 0x7fff_ffff)

const NAMED = new Set(['malformedPacket', 'protocolError', 'packetTooLarge', 'protocolVersion'])

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
      const content = makeMutant(random)
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
