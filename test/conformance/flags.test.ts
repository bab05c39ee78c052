// Fixed headers of MQTT 3.1.1, chapter 2.2: types and flags that a packet may not have end the connection.

import assert from 'node:assert/strict'
import { gatewayForSuite } from '../fixtures/gateway.js'
import {
  byte,
  DISCONNECT,
  packet,
  PINGREQ,
  puback,
  publish,
  subscribe,
  unsubscribe
} from '../fixtures/mqtt-bytes.js'
import { assertCloses, freshId } from './expectations.js'

const ACK = puback(1).subarray(1)
const ack = (first: number): Buffer => Buffer.concat([byte(first), ACK])

describe('conformance: fixed headers', () => {
  const gateway = gatewayForSuite()

  /** All flags but those of `bytes`. */
  async function assertFlags(bytes: Buffer): Promise<void> {
    const first = bytes[0] ?? 0
    for (let flags = 0; flags <= 15; flags++) {
      if (flags === (first & 15)) continue
      const changed = Buffer.from(bytes)
      changed[0] = (first & 0xf0) | flags
      await assertCloses(gateway(), changed, `flags ${flags}`)
    }
  }

  it('closes on SUBSCRIBE with flags other than 2 [MQTT3-3.8.1-1] [MQTT3-2.2.2-1] [MQTT3-2.2.2-2]', () =>
    assertFlags(subscribe(1, ['a', 0])))

  it('closes on UNSUBSCRIBE with flags other than 2 [MQTT3-3.10.1-1] [MQTT3-2.2.2-1] [MQTT3-2.2.2-2]', () =>
    assertFlags(unsubscribe(1, 'a')))

  it('closes on PUBREL with flags other than 2 [MQTT3-3.6.1-1] [MQTT3-2.2.2-1] [MQTT3-2.2.2-2]', () =>
    assertFlags(ack(0x62)))

  it('closes on DISCONNECT with flags [MQTT3-3.14.1-1] [MQTT3-2.2.2-1] [MQTT3-2.2.2-2]', () =>
    assertFlags(DISCONNECT))

  it('closes on PINGREQ with flags [MQTT3-2.2.2-1] [MQTT3-2.2.2-2]', () => assertFlags(PINGREQ))

  it('closes on PUBACK, PUBREC and PUBCOMP with flags [MQTT3-2.2.2-1] [MQTT3-2.2.2-2]', async () => {
    for (const first of [0x40, 0x50, 0x70]) await assertFlags(ack(first))
  })

  it('closes on packet types that are reserved or that only a server sends [MQTT3-4.8.0-1]', async () => {
    const ofServers = [byte(0x20, 2, 0, 0), byte(0x90, 3, 0, 1, 0), byte(0xb0, 2, 0, 1), byte(0xd0, 0)]
    for (const bytes of [byte(0, 0), byte(0xf0, 0), byte(0xff, 0), ...ofServers])
      await assertCloses(gateway(), bytes, bytes.toString('hex'))
  })

  it('closes on packets of a fixed length that are longer or shorter [MQTT3-4.8.0-1]', async () => {
    for (const bytes of [
      packet(0xc0, byte(0)),
      packet(0xe0, byte(0)),
      packet(0x40, byte(0)),
      packet(0x40, byte(0, 1, 0))
    ])
      await assertCloses(gateway(), bytes, bytes.toString('hex'))
  })

  it('closes on a remaining length of more than four bytes [MQTT3-4.8.0-1]', async () => {
    for (const first of [0x30, 0x32, 0x82, 0xc0])
      await assertCloses(gateway(), byte(first, 0xff, 0xff, 0xff, 0xff, 0x7f))
  })

  it('closes on the acknowledgements of a QoS that it never used [MQTT3-4.8.0-1]', async () => {
    for (const first of [0x50, 0x62, 0x70]) await assertCloses(gateway(), ack(first))
  })

  it('sets the reserved flags of what it sends as the table has them [MQTT3-2.2.2-1]', async () => {
    const client = await gateway().connect(freshId())
    client.send(subscribe(258, ['flags', 1]), unsubscribe(259, 'flags'))
    client.send(publish('nobody', 'x', { packetId: 260 }), PINGREQ)
    const got = [
      await client.nextBytes(),
      await client.nextBytes(),
      await client.nextBytes(),
      await client.nextBytes()
    ]
    assert.deepEqual(got.sort(), ['40020104', '9003010201', 'b0020103', 'd000'])
  })
})
