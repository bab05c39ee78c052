// Packet identifiers of MQTT 3.1.1, chapter 2.3.1: never 0, never one that is in use.

import assert from 'node:assert/strict'
import { gatewayForSuite, mqttOptions } from '../fixtures/gateway.js'
import { puback, publish, subscribe, unsubscribe } from '../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../fixtures/mqtt-socket.js'
import { assertCloses, freshId, subscriber } from './expectations.js'

const WINDOW = 20

describe('conformance: packet identifiers', () => {
  const gateway = gatewayForSuite({ mqtt: mqttOptions({ limits: { receiveMaximum: WINDOW } }) })

  it('closes on packet id 0 in SUBSCRIBE, UNSUBSCRIBE, PUBLISH and PUBACK [MQTT3-2.3.1-1]', async () => {
    for (const bytes of [
      subscribe(0, ['a', 0]),
      unsubscribe(0, 'a'),
      publish('a', 'x', { packetId: 0 }),
      puback(0)
    ])
      await assertCloses(gateway(), bytes, bytes.toString('hex'))
  })

  /** Ids of the next PUBLISHes. */
  async function ids(client: MqttSocket, count: number): Promise<number[]> {
    const packets: number[] = []
    while (packets.length < count) packets.push((await client.nextPublish()).packetId ?? 0)
    return packets
  }

  it('sends each PUBLISH with QoS 1 under an id that is not 0 and not in use [MQTT3-2.3.1-1] [MQTT3-2.3.1-4] [MQTT3-4.3.2-1]', async () => {
    const client = await subscriber(gateway(), ['ids', 1])
    const publisher = await gateway().connect(freshId())
    const total = 3 * WINDOW
    for (let count = 1; count <= total; count++)
      publisher.send(publish('ids', String(count), { packetId: count }))
    await publisher.take(total)
    const inFlight = new Set(await ids(client, WINDOW))
    assert.equal(inFlight.size, WINDOW)
    assert.ok(!inFlight.has(0))
    // until one is acknowledged there is room for no other
    assert.deepEqual(await client.untilPong(), [])
    for (let sent = WINDOW; sent < total; sent++) {
      const [acknowledged = 0] = [...inFlight].slice(sent % inFlight.size)
      inFlight.delete(acknowledged)
      client.send(puback(acknowledged))
      const [id = 0] = await ids(client, 1)
      assert.ok(id > 0 && !inFlight.has(id), `id ${id} is in use`)
      inFlight.add(id)
    }
    assert.deepEqual(await client.untilPong(), [])
  })

  it('lets client and server use the same id at the same time [MQTT3-2.3.1-4]', async () => {
    const client = await subscriber(gateway(), ['both', 1])
    client.send(publish('both', 'first', { packetId: 1 }))
    const first = (await client.take(2)).find(({ cmd }) => cmd === 'publish')
    assert.ok(first?.cmd === 'publish' && first.packetId !== undefined)
    // the server waits for the PUBACK of this id, and answers a PUBLISH with it
    client.send(publish('both', 'second', { packetId: first.packetId }))
    const packets = await client.take(2)
    assert.deepEqual(
      packets.find(({ cmd }) => cmd === 'puback'),
      { cmd: 'puback', packetId: first.packetId }
    )
    const second = packets.find(({ cmd }) => cmd === 'publish')
    assert.ok(second?.cmd === 'publish' && second.packetId !== first.packetId)
  })
})
