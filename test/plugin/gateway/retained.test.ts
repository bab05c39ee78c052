// Retained messages through gateways and the Subscription Service as they are: the same everywhere, and right while topics change.

import assert from 'node:assert/strict'
import { mqttOptions } from '../../fixtures/gateway.js'
import { Gateways } from '../../fixtures/gateways.js'
import { Killable } from '../../fixtures/killable.js'
import { connect, puback, publish, subscribe, type PublishedPacket } from '../../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../../fixtures/mqtt-socket.js'
import { takeCopies } from '../../fixtures/scripted-service.js'

describe('retained messages', () => {
  const scene = new Gateways()
  afterEach(() => scene.stop())

  /** The next PUBLISH, acknowledged. */
  async function nextOf(client: MqttSocket): Promise<PublishedPacket> {
    const packet = await client.nextPublish()
    if (packet.packetId !== undefined) client.send(puback(packet.packetId))
    return packet
  }

  it('are the same by every gateway, whichever they came by [MQTT3-3.3.1-6]', async () => {
    const gateways = [await scene.start(), await scene.start()]
    for (const [index, gateway] of gateways.entries()) {
      const publisher = await gateway.connect(`publisher ${index}`)
      await publisher.publish(`of/${index}`, 'first', { retain: true })
      await publisher.publish('of/both', `by ${index}`, { retain: true })
    }
    for (const [index, gateway] of gateways.entries()) {
      const client = await gateway.connect(`client ${index}`)
      assert.deepEqual(await client.subscribe(['of/#', 1]), [1])
      const got = [await nextOf(client), await nextOf(client), await nextOf(client)]
      assert.deepEqual(
        new Map(got.map(({ topic, payload, retain }) => [topic, [payload, retain]])),
        new Map([
          ['of/0', ['first', true]],
          ['of/1', ['first', true]],
          ['of/both', ['by 1', true]]
        ])
      )
    }
  })

  it('come to a durable session where it is when it subscribes, and not again elsewhere', async () => {
    const [a, b] = [await scene.start(), await scene.start()]
    const publisher = await a.connect('publisher')
    await publisher.publish('t', 'kept', { retain: true })
    const here = await a.connect('durable', { clean: false })
    here.send(subscribe(1, ['t', 1]))
    const packets = await here.take(2)
    const copy = packets.find(packet => packet.cmd === 'publish')
    assert.ok(copy?.cmd === 'publish')
    assert.deepEqual([copy.payload, copy.retain], ['kept', true])
    here.send(puback(copy.packetId ?? 0))
    await here.disconnect()
    await publisher.publish('t', 'while away', { retain: true })
    const there = await b.openWith(connect({ clientId: 'durable', clean: false }))
    assert.deepEqual(await there.next(), { cmd: 'connack', sessionPresent: true, returnCode: 0 })
    const queued = await nextOf(there)
    assert.deepEqual([queued.payload, queued.retain], ['while away', false])
    there.send(subscribe(2, ['t', 1]))
    const again = (await there.take(2)).find(packet => packet.cmd === 'publish')
    assert.ok(again?.cmd === 'publish')
    assert.deepEqual([again.payload, again.retain], ['while away', true])
  })

  it('survive a restart of the space', async () => {
    const gateway = await scene.start()
    const publisher = await gateway.connect('publisher')
    for (const topic of ['a', 'b', 'c']) await publisher.publish(topic, topic, { retain: true })
    await publisher.publish('b', '', { retain: true })
    await gateway.host.removeSpace('default')
    await gateway.addSpace('default', { on: gateway.space })
    const client = await gateway.connect('client')
    await client.subscribe(['+', 1])
    assert.deepEqual(await takeCopies(client, 2), ['a', 'c'])
  })

  it('end with the newest of each topic, and no live one is missed, while topics change all the time', async () => {
    const [a, b] = [await scene.start(), await scene.start()]
    const topics = Array.from({ length: 20 }, (_, index) => `s/${index}`)
    const newest = new Map<string, number>()
    const publisher = await a.connect('publisher')
    const publishNext = async (round: number): Promise<void> => {
      const topic = topics[(round * 7) % topics.length] ?? ''
      await publisher.publish(topic, String(round), { retain: true })
      newest.set(topic, round)
    }
    let round = 0
    for (; round < 40; round++) await publishNext(round)
    const clients: MqttSocket[] = []
    for (; round < 400; round++) {
      if (round % 20 === 0) {
        const client = await (round % 40 === 0 ? a : b).connect(`client ${round}`)
        client.send(subscribe(1, ['s/#', 1]))
        clients.push(client)
      }
      await publishNext(round)
    }
    await publisher.publish('s/end', 'end')
    for (const client of clients) {
      const live = new Map<string, number>()
      const last = new Map<string, number>()
      for (let end = false; !end || last.size < topics.length;) {
        const packet = await client.next()
        if (packet.cmd !== 'publish') continue
        if (packet.packetId !== undefined) client.send(puback(packet.packetId))
        const { topic, payload, retain } = packet
        end ||= topic === 's/end'
        if (topic === 's/end') continue
        const value = Number(payload)
        // each topic has its turn every 20 rounds
        const before = live.get(topic)
        if (!retain && before !== undefined) assert.equal(value, before + topics.length, topic)
        if (!retain) live.set(topic, value)
        last.set(topic, value)
      }
      assert.deepEqual(await client.untilPong(), [])
      assert.deepEqual(
        topics.map(topic => last.get(topic)),
        topics.map(topic => newest.get(topic))
      )
    }
  })

  it('come whole though the service goes while they are on their way, and another one takes its place', async () => {
    const gone = new Killable()
    await scene.start({ wrap: gone.wrap, roles: ['subscription'] })
    await scene.start({ roles: ['subscription'] })
    const gateway = await scene.start()
    const publisher = await gateway.connect('publisher')
    const topics = Array.from({ length: 200 }, (_, index) => `t/${index}`)
    for (const topic of topics) await publisher.publish(topic, topic, { retain: true })
    const clients = [await gateway.connect('one'), await gateway.connect('zero')]
    for (const [index, client] of clients.entries()) await client.subscribe(['t/+', 1 - index])
    const [one, zero] = clients
    assert.ok(one && zero)
    await one.take(20)
    assert.deepEqual(new Set(await takeCopies(zero, 200)), new Set(topics))
    gone.kill()
    // its SUBSCRIBE waits for the other service, which then knows the clients again
    assert.deepEqual(await zero.subscribe(['end', 1]), [1])
    for (const id of Array.from({ length: 20 }, (_, index) => index + 1)) one.send(puback(id))
    const got = new Set<string>()
    while (got.size < 200) for (const topic of await takeCopies(one, 1)) got.add(topic)
    assert.deepEqual(await zero.untilPong(), [])
  })

  it('are 20 on their way, however often a client subscribes that does not acknowledge them', async () => {
    const gateway = await scene.start()
    const publisher = await gateway.connect('publisher')
    for (let index = 0; index < 30; index++) await publisher.publish(`t/${index}`, 'x', { retain: true })
    const client = await gateway.connect('client')
    const subscribes = 100
    for (let packetId = 1; packetId <= subscribes; packetId++) client.send(subscribe(packetId, ['#', 1]))
    const packets = await client.take(subscribes + 20)
    assert.equal(packets.filter(({ cmd }) => cmd === 'suback').length, subscribes)
    assert.deepEqual(await client.untilPong(), [])
    for (const packet of packets) if (packet.cmd === 'publish') client.send(puback(packet.packetId ?? 0))
    // the rest of the first, and one more for all the others
    await takeCopies(client, 10 + 30)
    assert.deepEqual(await client.untilPong(), [])
  })

  it('come whole to a slow client, and keep nobody else from theirs', async () => {
    const gateway = await scene.start({ mqtt: mqttOptions({ limits: { bufferedBytes: 65_536 } }) })
    const publisher = await gateway.connect('publisher')
    const count = 500
    const payload = 'x'.repeat(20_000)
    for (let index = 0; index < count; index++)
      await publisher.publish(`t/${index}`, payload, { retain: true })
    const slow = await gateway.connect('slow')
    await slow.subscribe(['#', 1])
    const first = await slow.take(20)
    assert.deepEqual(await slow.untilPong(), [])
    for (let index = 0; index < 5; index++) {
      const quick = await gateway.connect(`quick ${index}`)
      await quick.subscribe([`t/${index}`, 0])
      assert.deepEqual(await takeCopies(quick, 1), [`t/${index}`])
    }
    publisher.send(publish('t/1', 'live'))
    // live ones do not wait for copies that were not sent
    const live = await slow.nextPublish()
    assert.deepEqual([live.payload, live.retain], ['live', false])
    const topics = first.map(packet => {
      assert.ok(packet.cmd === 'publish')
      slow.send(puback(packet.packetId ?? 0))
      return packet.topic
    })
    topics.push(...(await takeCopies(slow, count - topics.length)))
    assert.equal(new Set(topics).size, count)
  })
})
