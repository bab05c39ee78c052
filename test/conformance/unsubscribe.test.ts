// UNSUBSCRIBE and UNSUBACK of MQTT 3.1.1, chapters 3.10 and 3.11.

import assert from 'node:assert/strict'
import { gatewayForSuite } from '../fixtures/gateway.js'
import { byte, number, packet, puback, publish, unsubscribe } from '../fixtures/mqtt-bytes.js'
import { assertCloses, assertPayloads, freshId, subscriber } from './expectations.js'

describe('conformance: UNSUBSCRIBE', () => {
  const gateway = gatewayForSuite()

  it('answers with UNSUBACK, and its packet id [MQTT3-3.10.4-4] [MQTT3-2.3.1-7]', async () => {
    const client = await subscriber(gateway(), ['answer', 0])
    for (const packetId of [1, 256, 65535]) {
      client.send(unsubscribe(packetId, 'answer'))
      assert.equal(await client.nextBytes(), Buffer.concat([byte(0xb0, 2), number(packetId)]).toString('hex'))
    }
  })

  it('answers where nothing was subscribed to, or nothing could be [MQTT3-3.10.4-5]', async () => {
    const client = await gateway().connect(freshId())
    await client.unsubscribe('never', 'never/#')
    await client.unsubscribe('$mqtt.to.x.publish')
  })

  it('sends nothing more once a subscription is gone [MQTT3-3.10.4-2]', async () => {
    const client = await subscriber(gateway(), ['gone', 1], ['stays', 1])
    await client.unsubscribe('gone')
    const publisher = await gateway().connect(freshId())
    await publisher.publish('gone', 'ghost')
    await publisher.publish('stays', 'here')
    await assertPayloads(client, 'here')
    assert.deepEqual(await client.untilPong(), [])
  })

  it('compares filters character by character [MQTT3-3.10.4-1]', async () => {
    const filters = ['cmp/a', 'cmp/+', 'cmp/#', 'Cmp/a', 'cmp/a/', '/cmp/a']
    const topics = ['cmp/a', 'Cmp/a', 'cmp/a/', '/cmp/a']
    const client = await subscriber(gateway(), ...filters.map(filter => [filter, 0] as const))
    await client.unsubscribe('cmp', 'cmp/b', '#', '+/a', 'CMP/A', 'cmp//a')
    client.send(...topics.map(topic => publish(topic, topic)))
    await assertPayloads(client, ...topics)
    // a wildcard is a character: cmp/+ takes neither cmp/a nor cmp/# with it
    await client.unsubscribe('cmp/+', 'cmp/#')
    client.send(...topics.map(topic => publish(topic, topic)))
    await assertPayloads(client, ...topics)
    await client.unsubscribe('cmp/a')
    client.send(...topics.map(topic => publish(topic, topic)))
    await assertPayloads(client, ...topics.slice(1))
    assert.deepEqual(await client.untilPong(), [])
  })

  it('takes many filters at once and answers once [MQTT3-3.10.4-6]', async () => {
    const filters = Array.from({ length: 100 }, (_, index) => `many/${index}`)
    const client = await subscriber(gateway(), ...filters.map(filter => [filter, 0] as const))
    await client.unsubscribe(...filters.slice(1), 'many/not', 'many/5')
    client.send(...filters.map(filter => publish(filter, filter)))
    await assertPayloads(client, 'many/0')
    assert.deepEqual(await client.untilPong(), [])
  })

  it('completes what it had begun to send [MQTT3-3.10.4-3]', async () => {
    const client = await subscriber(gateway(), ['begun', 1])
    await (await gateway().connect(freshId())).publish('begun', 'x')
    const { packetId = 0 } = await client.nextPublish()
    await client.unsubscribe('begun')
    client.send(puback(packetId))
    assert.deepEqual(await client.untilPong(), [])
  })

  it('leaves the subscriptions of other clients alone [MQTT3-3.10.4-2]', async () => {
    const [leaving, staying] = [
      await subscriber(gateway(), ['shared/+', 1]),
      await subscriber(gateway(), ['shared/+', 1])
    ]
    await leaving.unsubscribe('shared/+')
    await (await gateway().connect(freshId())).publish('shared/x', 'x')
    await assertPayloads(staying, 'x')
    assert.deepEqual(await leaving.untilPong(), [])
  })

  it('closes on a filter that is no UTF-8, cut off, or no filter [MQTT3-3.10.3-1] [MQTT3-4.8.0-1]', async () => {
    for (const filter of [byte(0x61, 0xff), '', 'a#', 'a/#/b', 'a+'])
      await assertCloses(gateway(), unsubscribe(1, filter), String(filter))
    await assertCloses(gateway(), packet(0xa2, number(1), byte(0, 5, 0x61)))
    await assertCloses(gateway(), packet(0xa2, number(1), byte(0)))
  })

  it('closes on an UNSUBSCRIBE without filters, and on one without a packet id [MQTT3-3.10.3-2]', async () => {
    await assertCloses(gateway(), packet(0xa2, number(1)))
    await assertCloses(gateway(), packet(0xa2))
  })
})
