// Sessions that outlive their connection, MQTT 3.1.1 chapters 3.1.2.4, 4.1 and 4.4: what is kept while the client is away, what comes
// again and under which packet id, and what a clean session leaves of it.

import assert from 'node:assert/strict'
import { gatewayForSuite } from '../fixtures/gateway.js'
import {
  connect,
  puback,
  publish,
  subscribe,
  unsubscribe,
  type ConnectFields
} from '../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../fixtures/mqtt-socket.js'
import { assertPayloads, freshId, subscriber } from './expectations.js'

describe('conformance: sessions', () => {
  const gateway = gatewayForSuite()
  let id: string

  beforeEach(() => (id = freshId()))

  /** A client with CleanSession 0 whose CONNACK says this. */
  async function come(sessionPresent: boolean, fields: ConnectFields = {}): Promise<MqttSocket> {
    const client = await gateway().openWith(connect({ clientId: id, clean: false, ...fields }))
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent, returnCode: 0 })
    return client
  }

  /** It is subscribed and has gone. */
  async function leave(...filters: readonly (readonly [string, number])[]): Promise<void> {
    const client = await come(false)
    assert.deepEqual(
      await client.subscribe(...filters),
      filters.map(([, qos]) => qos)
    )
    await client.disconnect()
  }

  async function send(...topics: readonly string[]): Promise<void> {
    const publisher = await gateway().connect(freshId())
    for (const topic of topics) await publisher.publish(topic, topic)
    await publisher.disconnect()
  }

  it('keeps the subscriptions and what they match while the client is away [MQTT3-3.1.2-4] [MQTT3-3.1.2-5] [MQTT3-4.1.0-1]', async () => {
    await leave([`${id}/+`, 1])
    await send(`${id}/1`, `${id}/2`, `${id}/3`)
    const client = await come(true)
    await assertPayloads(client, `${id}/1`, `${id}/2`, `${id}/3`)
    await send(`${id}/4`)
    await assertPayloads(client, `${id}/4`)
    assert.deepEqual(await client.untilPong(), [])
  })

  it('says session present 0 for a new session and 1 for one that is there [MQTT3-3.2.2-2] [MQTT3-3.2.2-3]', async () => {
    await (await come(false)).disconnect()
    await (await come(true)).disconnect()
    const lost = await come(true)
    lost.reset()
    await (await come(true)).disconnect()
  })

  it('says session present 0 after a clean session, which leaves nothing [MQTT3-3.1.2-6] [MQTT3-3.2.2-1] [MQTT3-4.1.0-2]', async () => {
    await leave([`${id}/+`, 1])
    await send(`${id}/old`)
    const clean = await gateway().connect(id)
    assert.deepEqual(await clean.untilPong(), [])
    await send(`${id}/none`)
    assert.deepEqual(await clean.untilPong(), [])
    await clean.disconnect()
    const again = await come(false)
    await send(`${id}/none`)
    assert.deepEqual(await again.untilPong(), [])
  })

  it('sends what was not acknowledged again, in order, with its packet ids and DUP [MQTT3-4.4.0-1] [MQTT3-4.6.0-1] [MQTT3-3.3.1-1]', async () => {
    await leave([`${id}/+`, 1])
    const topics = Array.from({ length: 10 }, (_, index) => `${id}/${index}`)
    await send(...topics)
    const first = await come(true)
    const sent = []
    for (const topic of topics) {
      const packet = await first.nextPublish()
      assert.deepEqual([packet.topic, packet.qos, packet.dup], [topic, 1, false])
      sent.push(packet)
    }
    // some in between were acknowledged
    const acknowledged = [0, 3, 4]
    for (const index of acknowledged) first.send(puback(sent[index]?.packetId ?? 0))
    assert.deepEqual(await first.untilPong(), [])
    first.reset()
    const second = await come(true)
    for (const packet of sent.filter((_, index) => !acknowledged.includes(index)))
      assert.deepEqual(await second.nextPublish(), { ...packet, dup: true })
    await send(`${id}/new`)
    const fresh = await second.nextPublish()
    assert.deepEqual([fresh.topic, fresh.dup], [`${id}/new`, false])
    assert.ok(
      !sent.some(({ packetId }, index) => !acknowledged.includes(index) && packetId === fresh.packetId)
    )
  })

  it('keeps the packet ids over several connections, however short [MQTT3-4.4.0-1]', async () => {
    await leave([`${id}/+`, 1])
    await send(`${id}/1`, `${id}/2`, `${id}/3`)
    const first = await come(true)
    const sent = [await first.nextPublish(), await first.nextPublish(), await first.nextPublish()]
    first.reset()
    for (let round = 0; round < 3; round++) (await come(true)).reset()
    const last = await come(true)
    for (const packet of sent) assert.deepEqual(await last.nextPublish(), { ...packet, dup: true })
    for (const { packetId } of sent) last.send(puback(packetId ?? 0))
    assert.deepEqual(await last.untilPong(), [])
    await last.disconnect()
    assert.deepEqual(await (await come(true)).untilPong(), [])
  })

  it('does not send again what was acknowledged, nor QoS 0 [MQTT3-3.3.1-2]', async () => {
    await leave([`${id}/0`, 0], [`${id}/1`, 1])
    await send(`${id}/0`, `${id}/1`)
    const client = await come(true)
    const [zero, one] = [await client.nextPublish(), await client.nextPublish()]
    assert.deepEqual([zero.qos, zero.topic, one.qos, one.topic], [0, `${id}/0`, 1, `${id}/1`])
    client.send(puback(one.packetId ?? 0))
    assert.deepEqual(await client.untilPong(), [])
    client.reset()
    assert.deepEqual(await (await come(true)).untilPong(), [])
  })

  it('answers SUBSCRIBE and UNSUBSCRIBE of a session that is there, for later connections too', async () => {
    await leave([`${id}/a`, 1], [`${id}/b`, 1])
    const client = await come(true)
    await client.unsubscribe(`${id}/a`)
    assert.deepEqual(await client.subscribe([`${id}/c`, 1], [`${id}/b`, 0]), [1, 0])
    await client.disconnect()
    await send(`${id}/a`, `${id}/b`, `${id}/c`)
    const again = await come(true)
    const got = [await again.nextPublish(), await again.nextPublish()]
    assert.deepEqual(
      got.map(({ topic, qos }) => [topic, qos]),
      [
        [`${id}/b`, 0],
        [`${id}/c`, 1]
      ]
    )
  })

  it('sends a publication once where filters overlap, at the highest QoS granted [MQTT3-3.3.5-1]', async () => {
    await leave([`${id}/#`, 0], [`${id}/+`, 1])
    await send(`${id}/x`)
    const client = await come(true)
    assert.equal((await client.nextPublish()).qos, 1)
    assert.deepEqual(await client.untilPong(), [])
  })

  it('lets no more be on its way than the window, and the rest follows in order [MQTT3-4.6.0-6]', async () => {
    await leave([`${id}/+`, 1])
    const topics = Array.from({ length: 150 }, (_, index) => `${id}/${index}`)
    await send(...topics)
    const client = await come(true)
    const window = await client.take(100)
    assert.deepEqual(await client.untilPong(), [])
    for (const packet of window) if (packet.cmd === 'publish') client.send(puback(packet.packetId ?? 0))
    const rest = await client.take(50)
    assert.deepEqual(
      [...window, ...rest].map(packet => (packet.cmd === 'publish' ? packet.topic : packet.cmd)),
      topics
    )
  })

  it('is taken over with what was on its way [MQTT3-3.1.4-2] [MQTT3-4.4.0-1]', async () => {
    await leave([`${id}/+`, 1])
    await send(`${id}/1`)
    const first = await come(true)
    const sent = await first.nextPublish()
    const second = await come(true)
    assert.deepEqual(await first.untilClosed(), [])
    assert.deepEqual(await second.nextPublish(), { ...sent, dup: true })
  })

  it('answers what comes with the CONNECT, and delivers what was kept besides', async () => {
    await leave([`${id}/+`, 1])
    await send(`${id}/kept`)
    const client = await gateway().openWith(
      connect({ clientId: id, clean: false }),
      subscribe(7, ['other', 0]),
      publish('nobody', 'x', { packetId: 9 }),
      unsubscribe(8, 'other')
    )
    const packets = (await client.take(5)).map(({ cmd }) => cmd)
    assert.equal(packets[0], 'connack')
    assert.deepEqual(packets.slice(1).sort(), ['puback', 'publish', 'suback', 'unsuback'])
  })

  it('gets retained messages of its filters, also those that came while it was away, flagged as such', async () => {
    const publisher = await gateway().connect(freshId())
    await publisher.publish(`${id}/1`, 'kept', { retain: true })
    const client = await come(false)
    assert.deepEqual(await client.subscribe([`${id}/+`, 1]), [1])
    const copy = await client.nextPublish()
    assert.deepEqual([copy.payload, copy.retain, copy.qos, copy.dup], ['kept', true, 1, false])
    client.send(puback(copy.packetId ?? 0))
    await client.untilPong()
    await client.disconnect()
    // a live one for a subscription that is there
    await publisher.publish(`${id}/2`, 'later', { retain: true })
    const again = await come(true)
    const live = await again.nextPublish()
    assert.deepEqual([live.payload, live.retain], ['later', false])
    assert.deepEqual(await again.untilPong(), [])
  })

  it('takes publications of its client as any other does', async () => {
    const witness = await subscriber(gateway(), [`${id}/t`, 1])
    const client = await come(false)
    client.send(publish(`${id}/t`, 'x', { packetId: 3 }))
    assert.deepEqual(await client.next(), { cmd: 'puback', packetId: 3 })
    await assertPayloads(witness, 'x')
  })
})
