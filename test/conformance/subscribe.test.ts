// SUBSCRIBE and SUBACK of MQTT 3.1.1, chapters 3.8 and 3.9.

import assert from 'node:assert/strict'
import { gatewayForSuite } from '../fixtures/gateway.js'
import { byte, field, number, packet, publish, subscribe } from '../fixtures/mqtt-bytes.js'
import { assertCloses, assertPayloads, freshId, subscriber } from './expectations.js'

describe('conformance: SUBSCRIBE', () => {
  const gateway = gatewayForSuite()

  it('answers with SUBACK, and its packet id [MQTT3-3.8.4-1] [MQTT3-3.8.4-2] [MQTT3-2.3.1-7]', async () => {
    const client = await gateway().connect(freshId())
    for (const packetId of [1, 256, 65535]) {
      client.send(subscribe(packetId, [`answer/${packetId}`, 0]))
      assert.equal(
        await client.nextBytes(),
        Buffer.concat([byte(0x90, 3), number(packetId), byte(0)]).toString('hex')
      )
    }
  })

  it('gives one code per filter, in their order [MQTT3-3.8.4-4] [MQTT3-3.8.4-5] [MQTT3-3.9.3-1]', async () => {
    const client = await gateway().connect(freshId())
    client.send(subscribe(5, ['codes/a', 1], ['codes/b', 0], ['$mqtt.to.x.publish', 0], ['codes/c', 1]))
    assert.deepEqual(await client.next(), { cmd: 'suback', packetId: 5, codes: [1, 0, 0x80, 1] })
    client.send(publish('codes/a', 'a'), publish('codes/b', 'b'), publish('codes/c', 'c'))
    await assertPayloads(client, 'a', 'b', 'c')
  })

  it('has a code for each entry of a filter that comes twice, and the last one counts [MQTT3-3.8.4-4]', async () => {
    const client = await gateway().connect(freshId())
    const codes = await client.subscribe(['twice', 1], ['twice', 0])
    assert.equal(codes.length, 2)
    assert.equal(codes[1], 0)
    await (await gateway().connect(freshId())).publish('twice', 'x')
    assert.equal((await client.nextPublish()).qos, 0)
    assert.deepEqual(await client.untilPong(), [])
  })

  it('uses no codes but 0, 1, 2 and 0x80 [MQTT3-3.9.3-2]', async () => {
    const client = await gateway().connect(freshId())
    const filters = [
      'ok',
      '$mqtt.x',
      '$lwt',
      '$subctrl',
      '$retain.a',
      'a::b',
      '$management',
      '#',
      'a/'.repeat(250)
    ]
    const codes = await client.subscribe(...filters.map(filter => [filter, 2] as const))
    assert.equal(codes.length, filters.length)
    assert.ok(codes.every(code => [0, 1, 2, 0x80].includes(code)))
    assert.deepEqual(codes.slice(1, 7), Array(6).fill(0x80))
  })

  it('closes on a filter that is no UTF-8, or cut off [MQTT3-3.8.3-1]', async () => {
    await assertCloses(gateway(), subscribe(1, [byte(0x61, 0xff), 0]))
    await assertCloses(gateway(), packet(0x82, number(1), field('a')))
    await assertCloses(gateway(), packet(0x82, number(1), byte(0, 5, 0x61, 0)))
    await assertCloses(gateway(), packet(0x82, number(1), field('a'), byte(0, 0)))
  })

  it('supports wildcards [MQTT3-3.8.3-2]', async () => {
    const client = await gateway().connect(freshId())
    assert.deepEqual(await client.subscribe(['wild/#', 0], ['+/wild', 1], ['+', 0], ['#', 1]), [0, 1, 0, 1])
  })

  it('closes on a SUBSCRIBE without filters, and on one without a packet id [MQTT3-3.8.3-3]', async () => {
    await assertCloses(gateway(), packet(0x82, number(1)))
    await assertCloses(gateway(), packet(0x82))
    await assertCloses(gateway(), packet(0x82, byte(1)))
  })

  it('closes on reserved bits of a requested QoS, and on QoS 3 [MQTT3-3-8.3-4]', async () => {
    for (const qos of [3, 4, 5, 8, 0x10, 0x20, 0x40, 0x80, 0x81, 0xff]) {
      await assertCloses(gateway(), subscribe(1, ['a', qos]))
      await assertCloses(gateway(), subscribe(1, ['a', 0], ['b', qos]))
    }
  })

  it('replaces a subscription by one with the same filter, and misses nothing meanwhile [MQTT3-3.8.4-3]', async () => {
    const publisher = await gateway().connect(freshId())
    const client = await subscriber(gateway(), ['replace/+', 1])
    const payloads = Array.from({ length: 200 }, (_, index) => String(index))
    payloads.forEach((payload, index) => {
      publisher.send(publish('replace/x', payload))
      if (index % 10 === 0) client.send(subscribe(index + 1, ['replace/+', index % 20 === 0 ? 0 : 1]))
    })
    const got: string[] = []
    let subacks = 0
    while (got.length < payloads.length || subacks < 20) {
      const packet = await client.next()
      if (packet.cmd === 'publish') got.push(packet.payload)
      else subacks += 1
    }
    assert.deepEqual(got, payloads) // each once, and in order
    await publisher.publish('replace/x', 'last')
    const last = await client.nextPublish()
    assert.deepEqual([last.payload, last.qos], ['last', 1])
    assert.deepEqual(await client.subscribe(['replace/+', 0]), [0])
    await publisher.publish('replace/x', 'lower')
    assert.equal((await client.nextPublish()).qos, 0)
    assert.deepEqual(await client.untilPong(), [])
  })

  it('sends with the lower one of the publication\u2019s and the granted QoS [MQTT3-3.8.4-6]', async () => {
    const client = await subscriber(gateway(), ['min/0', 0], ['min/1', 1])
    const publisher = await gateway().connect(freshId())
    const got: number[] = []
    for (const topic of ['min/0', 'min/1']) {
      publisher.send(publish(topic, 'x'))
      got.push((await client.nextPublish()).qos)
      await publisher.publish(topic, 'x')
      got.push((await client.nextPublish()).qos)
    }
    assert.deepEqual(got, [0, 0, 0, 1])
  })

  it('delivers once at the highest QoS where several filters match [MQTT3-3.3.5-1]', async () => {
    const publisher = await gateway().connect(freshId())
    const orders = [
      [
        ['over/#', 0],
        ['over/+', 1],
        ['over/x', 0]
      ],
      [
        ['over/x', 1],
        ['over/+', 0],
        ['+/x', 0]
      ],
      [
        ['over/+', 0],
        ['over/#', 0],
        ['over/x', 1]
      ]
    ] as const
    for (const filters of orders) {
      const client = await subscriber(gateway(), ...filters)
      await publisher.publish('over/x', 'once')
      const { qos, payload } = await client.nextPublish()
      assert.deepEqual([qos, payload], [1, 'once'])
      assert.deepEqual(await client.untilPong(), [])
      await client.disconnect()
    }
  })

  it('keeps subscriptions for as long as the connection is there [MQTT3-4.1.0-1] [MQTT3-4.1.0-2]', async () => {
    const client = await subscriber(gateway(), ['kept/1', 1], ['kept/2', 0])
    for (let round = 0; round < 3; round++) {
      await client.subscribe([`other/${round}`, 1])
      await client.unsubscribe(`other/${round}`)
      assert.deepEqual(await client.untilPong(), [])
      client.send(publish('kept/1', '1'), publish('kept/2', '2'))
      await assertPayloads(client, '1', '2')
    }
  })

  it('answers SUBSCRIBEs of one client in their order [MQTT3-3.8.4-1]', async () => {
    const client = await gateway().connect(freshId())
    const ids = Array.from({ length: 50 }, (_, index) => index + 1)
    client.send(...ids.map(id => subscribe(id, [`order/${id}`, 0])))
    const answers = await client.take(50)
    assert.deepEqual(
      answers.map(answer => answer.cmd === 'suback' && answer.packetId),
      ids
    )
  })
})
