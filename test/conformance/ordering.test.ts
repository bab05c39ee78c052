// Message ordering of MQTT 3.1.1, chapter 4.6.

import assert from 'node:assert/strict'
import { gatewayForSuite, mqttOptions } from '../fixtures/gateway.js'
import { puback, publish } from '../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../fixtures/mqtt-socket.js'
import { freshId, subscriber } from './expectations.js'

const COUNT = 500

describe('conformance: order of messages', () => {
  const gateway = gatewayForSuite({ mqtt: mqttOptions({ limits: { receiveMaximum: 10 } }) })

  /** The next publications as `<payload>@<QoS>`, each acknowledged as it comes. */
  async function receive(client: MqttSocket, count: number): Promise<string[]> {
    const got: string[] = []
    while (got.length < count) {
      const { payload, qos, packetId } = await client.nextPublish()
      got.push(`${payload}@${qos}`)
      if (packetId !== undefined) client.send(puback(packetId))
    }
    return got
  }

  it('delivers the publications of one client in their order, QoS 0 and 1 [MQTT3-4.6.0-5] [MQTT3-4.6.0-6]', async () => {
    const clients = [
      await subscriber(gateway(), ['order/#', 1]),
      await subscriber(gateway(), ['order/+', 0], ['order/a', 1])
    ]
    const publisher = await gateway().connect(freshId())
    for (let index = 0; index < COUNT; index++) {
      const qos = index % 3 === 0 ? {} : { packetId: index }
      publisher.send(publish(index % 2 === 0 ? 'order/a' : 'order/b', String(index), qos))
    }
    const expected = (max: (index: number) => number): string[] =>
      Array.from({ length: COUNT }, (_, index) => `${index}@${Math.min(index % 3 === 0 ? 0 : 1, max(index))}`)
    const [all, some] = await Promise.all(clients.map(client => receive(client, COUNT)))
    assert.deepEqual(
      all,
      expected(() => 1)
    )
    assert.deepEqual(
      some,
      expected(index => (index % 2 === 0 ? 1 : 0))
    )
  })

  it('acknowledges in the order in which the publications came [MQTT3-4.6.0-2] [MQTT3-4.3.2-2]', async () => {
    const client = await gateway().connect(freshId())
    const ids = Array.from({ length: COUNT }, (_, index) => ((index * 7919) % 65535) + 1)
    client.send(...ids.map((packetId, index) => publish(`acks/${index % 5}`, 'x', { packetId })))
    const got = await client.take(COUNT)
    assert.deepEqual(
      got.map(packet => packet.cmd === 'puback' && packet.packetId),
      ids
    )
  })

  it('keeps the order of each client where many publish to one topic [MQTT3-4.6.0-6]', async () => {
    const taker = await subscriber(gateway(), ['many', 1])
    const publishers = await Promise.all(['a', 'b', 'c'].map(() => gateway().connect(freshId())))
    for (let index = 0; index < COUNT / 5; index++) {
      for (const [who, publisher] of publishers.entries())
        publisher.send(publish('many', `${who}:${index}`, { packetId: index + 1 }))
    }
    const got = await receive(taker, (COUNT / 5) * publishers.length)
    for (const who of publishers.keys()) {
      assert.deepEqual(
        got.filter(each => each.startsWith(`${who}:`)),
        Array.from({ length: COUNT / 5 }, (_, index) => `${who}:${index}@1`)
      )
    }
  })

  it('sends on what waited for room in the order in which it came [MQTT3-4.6.0-6]', async () => {
    const taker = await subscriber(gateway(), ['waits', 1])
    const publisher = await gateway().connect(freshId())
    for (let index = 0; index < 50; index++)
      publisher.send(publish('waits', String(index), index % 2 === 0 ? { packetId: index + 1 } : {}))
    await publisher.take(25)
    const expected = Array.from({ length: 50 }, (_, index) => `${index}@${index % 2 === 0 ? 1 : 0}`)
    assert.deepEqual(await receive(taker, 50), expected)
  })
})
