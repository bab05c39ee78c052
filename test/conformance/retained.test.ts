// Retained messages: what is kept, who gets it, and how it is marked.

import assert from 'node:assert/strict'
import { gatewayForSuite } from '../fixtures/gateway.js'
import { puback, publish, subscribe, type PublishedPacket } from '../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../fixtures/mqtt-socket.js'
import { freshId } from './expectations.js'

/** A topic with a retained message: the one of a later SUBSCRIBE comes when all of an earlier one have come. */
const FENCE = 'fence'
const [ASKED, FENCED] = [1001, 1002]

describe('conformance: retained messages', () => {
  const gateway = gatewayForSuite()
  let publisher: MqttSocket

  before(async () => {
    publisher = await gateway().connect('publisher')
    await retain(FENCE, 'fence')
  })

  const retain = (topic: string, payload: string): Promise<void> =>
    publisher.publish(topic, payload, { retain: true })

  /** Subscribes; what comes because of that. */
  async function copies(
    client: MqttSocket,
    ...filters: readonly (readonly [filter: string, qos: number])[]
  ): Promise<PublishedPacket[]> {
    client.send(subscribe(ASKED, ...filters), subscribe(FENCED, [FENCE, 0]))
    const got: PublishedPacket[] = []
    const answered: number[] = []
    // `#` brings it as well
    let fences = filters.some(([filter]) => filter === '#') ? 2 : 1
    while (fences > 0) {
      const packet = await client.next()
      if (packet.cmd === 'suback') answered.push(packet.packetId)
      if (packet.cmd !== 'publish') continue
      if (packet.packetId !== undefined) client.send(puback(packet.packetId))
      if (packet.topic === FENCE) fences -= 1
      else got.push(packet)
    }
    assert.deepEqual(answered, [ASKED, FENCED])
    return got
  }

  const fresh = async (...filters: readonly (readonly [string, number])[]): Promise<PublishedPacket[]> => {
    const client = await gateway().connect(freshId())
    const got = await copies(client, ...filters)
    await client.disconnect()
    return got
  }

  const payloads = (packets: readonly PublishedPacket[]): Record<string, string> =>
    Object.fromEntries(packets.map(({ topic, payload }) => [topic, payload]))

  it('stores a PUBLISH with RETAIN with its QoS, and sends it to new subscriptions with RETAIN 1 [MQTT3-3.3.1-5] [MQTT3-3.3.1-6] [MQTT3-3.3.1-8]', async () => {
    await retain('stored/one', 'of QoS 1')
    publisher.send(publish('stored/zero', 'of QoS 0', { retain: true }))
    await publisher.untilPong()
    const got = await fresh(['stored/one', 1], ['stored/zero', 1])
    assert.deepEqual(
      got.map(({ topic, payload, qos, retain: flag, dup }) => ({ topic, payload, qos, flag, dup })),
      [
        { topic: 'stored/one', payload: 'of QoS 1', qos: 1, flag: true, dup: false },
        { topic: 'stored/zero', payload: 'of QoS 0', qos: 0, flag: true, dup: false }
      ]
    )
  })

  it('sends those of all topics that a filter matches, and no others [MQTT3-3.3.1-6]', async () => {
    const topics = ['w', 'w/a', 'w/b', 'w/a/c', 'x/a']
    for (const topic of topics) await retain(topic, topic)
    const matched = async (filter: string): Promise<string[]> =>
      Object.keys(payloads(await fresh([filter, 1])))
        .filter(topic => topics.includes(topic))
        .sort()
    assert.deepEqual(await matched('w/#'), ['w', 'w/a', 'w/a/c', 'w/b'])
    assert.deepEqual(await matched('w/+'), ['w/a', 'w/b'])
    assert.deepEqual(await matched('+/a'), ['w/a', 'x/a'])
    assert.deepEqual(await matched('#'), ['w', 'w/a', 'w/a/c', 'w/b', 'x/a'])
    assert.deepEqual(await matched('w'), ['w'])
  })

  it('keeps the last one, also where that has QoS 0 [MQTT3-3.3.1-5] [MQTT3-3.3.1-7]', async () => {
    await retain('replaced', 'first')
    await retain('replaced', 'second')
    assert.deepEqual(payloads(await fresh(['replaced', 1])), { replaced: 'second' })
    publisher.send(publish('replaced', 'third', { retain: true }))
    await publisher.untilPong()
    const [third, ...more] = await fresh(['replaced', 1])
    assert.deepEqual([third?.payload, third?.qos, more], ['third', 0, []])
  })

  it('sends RETAIN 0 to subscriptions that are there [MQTT3-3.3.1-9]', async () => {
    const client = await gateway().connect(freshId())
    assert.deepEqual(await copies(client, ['live', 1]), [])
    await retain('live', 'x')
    assert.deepEqual((await client.nextPublish()).retain, false)
  })

  it('delivers an empty one as any other, removes what was retained, and keeps nothing [MQTT3-3.3.1-10] [MQTT3-3.3.1-11]', async () => {
    const client = await gateway().connect(freshId())
    await retain('emptied', 'full')
    assert.equal((await copies(client, ['emptied', 1])).length, 1)
    await retain('emptied', '')
    const { topic, payload, retain: flag } = await client.nextPublish()
    assert.deepEqual([topic, payload, flag], ['emptied', '', false])
    assert.deepEqual(await fresh(['emptied', 1]), [])
    // where there was nothing
    await retain('never', '')
    assert.deepEqual(await fresh(['never', 1]), [])
    await retain('emptied', 'again')
    assert.deepEqual(payloads(await fresh(['emptied', 1])), { emptied: 'again' })
  })

  it('neither stores nor changes anything for a PUBLISH without RETAIN [MQTT3-3.3.1-12]', async () => {
    await publisher.publish('plain', 'x')
    assert.deepEqual(await fresh(['plain', 1]), [])
    await retain('plain', 'kept')
    await publisher.publish('plain', 'x')
    await publisher.publish('plain', '')
    assert.deepEqual(payloads(await fresh(['plain', 1])), { plain: 'kept' })
  })

  it('sends them again for a filter that is there, with its new QoS, and interrupts nothing [MQTT3-3.8.4-3]', async () => {
    await retain('again/1', 'one')
    await retain('again/2', 'two')
    const client = await gateway().connect(freshId())
    const qosOf = (packets: readonly PublishedPacket[]): Record<string, number> =>
      Object.fromEntries(packets.map(({ topic, qos }) => [topic, qos]))
    assert.deepEqual(qosOf(await copies(client, ['again/+', 1])), { 'again/1': 1, 'again/2': 1 })
    assert.deepEqual(qosOf(await copies(client, ['again/+', 0])), { 'again/1': 0, 'again/2': 0 })
    assert.deepEqual(qosOf(await copies(client, ['again/+', 1])), { 'again/1': 1, 'again/2': 1 })
    await publisher.publish('again/3', 'live')
    const { topic, qos, retain: flag } = await client.nextPublish()
    assert.deepEqual([topic, qos, flag], ['again/3', 1, false])
  })

  it('sends one of each topic for filters that overlap, at the highest QoS granted [MQTT3-3.3.5-1] [MQTT3-3.8.4-4]', async () => {
    await retain('overlap/a', 'x')
    const got = await fresh(['overlap/#', 0], ['overlap/a', 1], ['overlap/+', 0])
    assert.deepEqual(
      got.map(({ topic, qos }) => [topic, qos]),
      [['overlap/a', 1]]
    )
  })

  it('sends them to MQTT 3.1 clients, too [MQTT3-3.3.1-6]', async () => {
    await retain('old', 'x')
    const client = await gateway().connect(freshId(), { protocol: 'MQIsdp', level: 3 })
    assert.deepEqual(payloads(await copies(client, ['old', 1])), { old: 'x' })
  })

  it('keeps them when the session that sent them ends, whichever it was [MQTT3-3.1.2.7]', async () => {
    for (const clean of [true, false]) {
      const id = freshId()
      const client = await gateway().connect(id, { clean })
      await client.publish(`ended/${clean}`, id, { retain: true })
      await client.disconnect()
      // a clean session takes the place of the one before, and ends
      await (await gateway().connect(id)).disconnect()
      assert.deepEqual(payloads(await fresh([`ended/${clean}`, 1])), { [`ended/${clean}`]: id })
    }
  })

  it('sends them to a session that outlives its connection, with RETAIN 1 [MQTT3-3.3.1-6] [MQTT3-3.3.1-8]', async () => {
    await retain('durable', 'x')
    const client = await gateway().connect(freshId(), { clean: false })
    client.send(subscribe(1, ['durable', 1]))
    const got = await client.take(2)
    const copy = got.find(packet => packet.cmd === 'publish')
    assert.ok(copy?.cmd === 'publish')
    assert.deepEqual([copy.topic, copy.payload, copy.retain, copy.qos], ['durable', 'x', true, 1])
    client.send(puback(copy.packetId ?? 0))
    await publisher.publish('durable', 'live')
    const live = await client.nextPublish()
    assert.deepEqual([live.payload, live.retain], ['live', false])
  })
})
