// PUBLISH and PUBACK of MQTT 3.1.1, chapters 3.3, 3.4, 4.3 and 4.5: what is taken, what is answered, what subscribers get.

import assert from 'node:assert/strict'
import { encodePublication } from '../../plugin/messages/publish.js'
import { gatewayForSuite } from '../fixtures/gateway.js'
import { byte, field, number, packet, puback, publish, subscribe } from '../fixtures/mqtt-bytes.js'
import { assertCloses, assertPayloads, freshId, subscriber } from './expectations.js'

describe('conformance: PUBLISH', () => {
  const gateway = gatewayForSuite()

  it('answers QoS 0 with nothing, and QoS 1 with PUBACK [MQTT3-3.3.4-1]', async () => {
    const client = await gateway().connect(freshId())
    client.send(publish('nobody', 'x'), publish('nobody', 'x', { packetId: 3 }))
    assert.deepEqual(await client.untilPong(), [{ cmd: 'puback', packetId: 3 }])
  })

  it('answers with the packet id of the PUBLISH [MQTT3-2.3.1-6] [MQTT3-4.3.2-2]', async () => {
    const client = await gateway().connect(freshId())
    for (const packetId of [1, 255, 256, 0x8000, 0xffff]) {
      client.send(publish('nobody', 'x', { packetId }))
      assert.equal(await client.nextBytes(), puback(packetId).toString('hex'))
    }
  })

  it('takes the id of an acknowledged PUBLISH for a new publication, with DUP as well [MQTT3-4.3.2-2]', async () => {
    const witness = await subscriber(gateway(), ['again', 1])
    const client = await gateway().connect(freshId())
    for (const [payload, dup] of [
      ['one', false],
      ['two', false],
      ['three', true]
    ] as const) {
      client.send(publish('again', payload, { packetId: 9, dup }))
      assert.deepEqual(await client.next(), { cmd: 'puback', packetId: 9 })
    }
    await assertPayloads(witness, 'one', 'two', 'three')
  })

  it('closes on both QoS bits [MQTT3-3.3.1-4]', async () => {
    for (const flags of [6, 7, 14, 15])
      await assertCloses(gateway(), packet(0x30 | flags, field('a'), number(1), Buffer.from('x')))
  })

  it('closes on DUP with QoS 0 [MQTT3-3.3.1-2]', async () => {
    await assertCloses(gateway(), publish('a', 'x', { dup: true }))
    await assertCloses(gateway(), publish('a', 'x', { dup: true, retain: true }))
  })

  it('sends QoS 0 with DUP 0 and without a packet id [MQTT3-4.3.1-1] [MQTT3-3.3.1-2] [MQTT3-2.3.1-5]', async () => {
    const client = await subscriber(gateway(), ['qos/0', 0])
    const sent = publish('qos/0', 'payload')
    client.send(sent)
    assert.equal(await client.nextBytes(), sent.toString('hex'))
    client.send(publish('qos/0', 'payload', { packetId: 5 }))
    assert.deepEqual((await client.take(2)).map(({ cmd }) => cmd).sort(), ['puback', 'publish'])
  })

  it('takes the two bytes after the topic name of a QoS 0 PUBLISH as payload [MQTT3-2.3.1-5]', async () => {
    const client = await subscriber(gateway(), ['no/id', 0])
    const sent = packet(0x30, field('no/id'), number(0x0102))
    client.send(sent)
    assert.equal(await client.nextBytes(), sent.toString('hex'))
  })

  it('does not pass on the publisher\u2019s DUP [MQTT3-3.3.1-3]', async () => {
    const witness = await subscriber(gateway(), ['dup', 1])
    const client = await gateway().connect(freshId())
    client.send(publish('dup', 'x', { packetId: 1, dup: true }))
    const { qos, dup, payload } = await witness.nextPublish()
    assert.deepEqual({ qos, dup, payload }, { qos: 1, dup: false, payload: 'x' })
  })

  it('sends RETAIN 0 for a subscription that is there, whatever the publisher asked [MQTT3-3.3.1-9]', async () => {
    const client = await subscriber(gateway(), ['retain/#', 1])
    const connection = await gateway().space.connect('service')
    const sender = await connection.openSender({ address: 'retain/amqp' })
    const payload = Buffer.from('kept')
    sender.send(encodePublication({ topic: 'retain/amqp', payload, qos: 1, retain: true, dup: false }))
    const got = await client.nextPublish()
    assert.deepEqual([got.payload, got.retain, got.qos], ['kept', false, 1])
    const publisher = await gateway().connect(freshId())
    for (const fields of [{}, { packetId: 1 }]) {
      publisher.send(publish('retain/mqtt', 'kept', { ...fields, retain: true }))
      assert.equal((await client.nextPublish()).retain, false)
    }
    await connection.close()
  })

  it('does not keep a publication with RETAIN 0 for later subscribers [MQTT3-3.3.1-12]', async () => {
    const client = await gateway().connect(freshId())
    await client.publish('not/kept', 'old')
    await client.subscribe(['not/kept', 1])
    client.send(publish('not/kept', 'new'))
    await assertPayloads(client, 'new')
    assert.deepEqual(await client.untilPong(), [])
  })

  it('closes where the topic name is missing or cut off [MQTT3-3.3.2-1]', async () => {
    await assertCloses(gateway(), packet(0x30))
    await assertCloses(gateway(), packet(0x30, byte(0)))
    await assertCloses(gateway(), packet(0x30, byte(0, 2, 0x61)))
    await assertCloses(gateway(), packet(0x32, field('a')))
    await assertCloses(gateway(), packet(0x32, field('a'), byte(1)))
  })

  it('closes on wildcards in a topic name [MQTT3-3.3.2-2] [MQTT3-4.7.1-1]', async () => {
    for (const topic of ['#', '+', 'a/#', 'a/+/b', 'a+', '#a', 'a/b#']) {
      await assertCloses(gateway(), publish(topic, 'x'), topic)
      await assertCloses(gateway(), publish(topic, 'x', { packetId: 1 }), topic)
    }
  })

  it('sends the topic name it was published to, not the filter [MQTT3-3.3.2-3]', async () => {
    const client = await subscriber(gateway(), ['name/+/#', 0])
    for (const topic of ['name/a', 'name/b/c', 'name/']) {
      client.send(publish(topic, 'x'))
      assert.equal((await client.nextPublish()).topic, topic)
    }
  })

  it('gives a publication to each client that has a matching filter, and to no other [MQTT3-4.5.0-1]', async () => {
    const takers = [
      await subscriber(gateway(), ['all/of/them', 0]),
      await subscriber(gateway(), ['all/+/them', 1]),
      await subscriber(gateway(), ['all/#', 1])
    ]
    const other = await subscriber(gateway(), ['all', 1], ['all/of', 1], ['all/of/them/not', 1])
    await (await gateway().connect(freshId())).publish('all/of/them', 'x')
    for (const taker of takers) await assertPayloads(taker, 'x')
    assert.deepEqual(await other.untilPong(), [])
  })

  it('takes payloads of any size with any bytes', async () => {
    const client = await subscriber(gateway(), ['size', 0])
    for (const size of [
      0, 1, 118, 119, 120, 121, 16_374, 16_375, 16_376, 16_377, 16_378, 2_097_144, 2_097_145
    ]) {
      const sent = publish('size', Buffer.alloc(size, 0xa5))
      client.send(sent)
      assert.equal(await client.nextBytes(), sent.toString('hex'), `${size} bytes`)
    }
  })

  it('tells a client its own publications as it tells anybody', async () => {
    const client = await gateway().connect(freshId())
    client.send(subscribe(1, ['own', 1]), publish('own', 'x', { packetId: 2 }))
    const got = await client.take(3)
    assert.deepEqual(got.map(({ cmd }) => cmd).sort(), ['puback', 'publish', 'suback'])
  })

  it('treats what it sent with QoS 1 as on its way until PUBACK, and ignores a PUBACK that nobody waits for [MQTT3-4.3.2-1]', async () => {
    const client = await subscriber(gateway(), ['ack', 1])
    client.send(puback(7), puback(65535))
    client.send(publish('ack', 'x'), publish('ack', 'y', { packetId: 1 }))
    const packets = await client.take(3)
    const [, second] = packets.filter(({ cmd }) => cmd === 'publish')
    assert.ok(second?.cmd === 'publish' && second.packetId !== undefined)
    assert.deepEqual([second.qos, second.dup, second.payload], [1, false, 'y'])
    client.send(puback(second.packetId), puback(second.packetId))
    assert.deepEqual(await client.untilPong(), [])
  })
})
