// Two and three gateways on one address space: a client id is used by one connection, whichever gateway it came by.

import assert from 'node:assert/strict'
import { mqttOptions, type RunningGateway } from '../../fixtures/gateway.js'
import { Gateways } from '../../fixtures/gateways.js'
import { HeldPublications } from '../../fixtures/held-publications.js'
import { Killable } from '../../fixtures/killable.js'
import { connect, publish } from '../../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../../fixtures/mqtt-socket.js'

const CONNACK = { cmd: 'connack', sessionPresent: false, returnCode: 0 }
const takeoverTimeout = (takeoverTimeoutMs: number): object =>
  mqttOptions({ services: { takeoverTimeoutMs } })

describe('several gateways on one address space', () => {
  const scene = new Gateways()
  afterEach(() => scene.stop())

  const takenOver = (gateway: RunningGateway): number =>
    gateway.metric('mqtt_disconnects_total', { reason: 'sessionTakenOver' })

  it('end the older connection of a client at the other gateway [MQTT3-3.1.4-2]', async () => {
    const [a, b] = [await scene.start(), await scene.start()]
    const first = await a.connect('same')
    await first.subscribe(['old', 1])
    const second = await b.connect('same')
    assert.deepEqual(await first.untilClosed(), [])
    assert.deepEqual([takenOver(a), takenOver(b)], [1, 0])
    assert.deepEqual([a.metric('mqtt_clients'), a.metric('mqtt_inbox_sources')], [0, 0])
    await second.subscribe(['new', 1])
    const publisher = await a.connect('publisher')
    for (const topic of ['old', 'new']) await publisher.publish(topic, topic)
    assert.equal((await second.nextPublish()).topic, 'new')
    assert.deepEqual(await second.untilPong(), [])
  })

  it('give the client id back and forth 20 times, with a message each time', async () => {
    const gateways = [await scene.start(), await scene.start()]
    const watcher = await gateways[0]?.connect('watcher')
    assert.ok(watcher)
    await watcher.subscribe(['rounds/#', 1])
    let former: MqttSocket | undefined
    for (let round = 0; round < 20; round++) {
      const gateway = gateways[round % 2] ?? assert.fail()
      const client = await gateway.connect('same')
      assert.deepEqual(await former?.untilClosed(), former && [])
      await client.publish(`rounds/${round}`, 'x')
      assert.equal((await watcher.nextPublish()).topic, `rounds/${round}`)
      former = client
    }
    assert.deepEqual(gateways.map(takenOver), [10, 9])
    assert.deepEqual(await watcher.untilPong(), [])
  })

  it('handle what the older connection has sent before they end it, and no message twice', async () => {
    const [a, b] = [await scene.start(), await scene.start()]
    const watcher = await b.connect('watcher')
    await watcher.subscribe(['t', 0])
    const first = await a.connect('same')
    const count = 200
    for (let index = 1; index <= count; index++) first.send(publish('t', `${index}`, { packetId: index }))
    const second = await b.openWith(connect({ clientId: 'same' }), publish('t', 'second', { packetId: 1 }))
    const acknowledged = (await first.untilClosed()).length
    assert.deepEqual(await second.take(2), [CONNACK, { cmd: 'puback', packetId: 1 }])
    const payloads: string[] = []
    while (payloads.at(-1) !== 'second') payloads.push((await watcher.nextPublish()).payload)
    // nothing of the older one comes after the newer one's, each once and in order; all that was acknowledged is there
    assert.deepEqual(
      payloads.slice(0, -1),
      payloads.slice(0, -1).map((_, index) => `${index + 1}`)
    )
    assert.equal(payloads.length - 1, acknowledged)
    assert.equal(acknowledged, count)
    assert.deepEqual(await watcher.untilPong(), [])
  })

  it('wait for publications of the older connection that the host has not answered', async () => {
    const host = new HeldPublications()
    const [a, b] = [await scene.start({ wrap: host.wrap }), await scene.start()]
    const first = await a.connect('same')
    first.send(publish('t', 'on its way', { packetId: 1 }))
    const held = await host.at(0)
    const second = await b.openWith(connect({ clientId: 'same' }))
    const witness = await a.connect('witness')
    assert.deepEqual(await witness.untilPong(), [])
    assert.equal(second.untaken, 0)
    held.accept()
    assert.deepEqual(await first.untilClosed(), [{ cmd: 'puback', packetId: 1 }])
    assert.deepEqual(await second.next(), CONNACK)
  })

  it('cut the older connection off where the host does not answer for it in time', async () => {
    const host = new HeldPublications()
    const mqtt = takeoverTimeout(50)
    const [a, b] = [await scene.start({ wrap: host.wrap, mqtt }), await scene.start({ mqtt })]
    const first = await a.connect('same')
    first.send(publish('t', 'on its way', { packetId: 1 }))
    await host.at(0)
    const second = await b.connect('same')
    assert.deepEqual(await first.untilClosed(), [])
    assert.deepEqual(await second.untilPong(), [])
  })

  for (const count of [3, 12])
    it(`leave exactly one of ${count} connections that come at once by three gateways [MQTT3-3.1.4-2]`, async () => {
      const gateways = [await scene.start(), await scene.start(), await scene.start()]
      for (let round = 0; round < 5; round++) {
        const clients = await Promise.all(
          Array.from({ length: count }, (_, index) => (gateways[index % 3] ?? assert.fail()).open())
        )
        for (const client of clients) client.send(connect({ clientId: 'same' }))
        const left = new Set(clients)
        for (const client of clients)
          void client.untilClosed().then(
            () => left.delete(client),
            () => undefined
          )
        const witness = await gateways[0]?.connect('witness')
        assert.ok(witness)
        while (left.size > 1) await witness.untilPong()
        const [last] = left
        assert.ok(last)
        assert.deepEqual(await last.next(), CONNACK)
        assert.deepEqual(await last.untilPong(), [])
        await witness.disconnect()
        await last.disconnect()
      }
    })

  it('take a client over from a gateway that does not answer, after the time-out', async () => {
    const frozen = new Killable()
    const mqtt = takeoverTimeout(100)
    const [a, b] = [await scene.start({ wrap: frozen.wrap, mqtt }), await scene.start({ mqtt })]
    const first = await a.connect('same')
    frozen.freeze()
    const before = performance.now()
    const second = await b.connect('same')
    assert.ok(performance.now() - before >= 95)
    assert.deepEqual(await first.untilPong(), [])
    // what it says now comes too late, and changes nothing
    assert.deepEqual(await first.subscribe(['late', 1]), [0x80])
    assert.equal(frozen.frozen, 1)
    frozen.thaw()
    assert.deepEqual(await first.untilClosed(), [])
    assert.deepEqual(await second.subscribe(['fine', 1]), [1])
  })

  it('take a client over at once from a gateway that is gone', async () => {
    const killed = new Killable()
    const mqtt = mqttOptions({ services: { takeoverTimeoutMs: 60_000 } })
    await scene.start({ mqtt })
    const [a, b] = [await scene.start({ wrap: killed.wrap, mqtt }), await scene.start({ mqtt })]
    await a.connect('same')
    killed.kill()
    const second = await b.connect('same')
    assert.deepEqual(await second.subscribe(['t', 1]), [1])
  })

  it('let the newer connection in wherever in a takeover the gateway of the older one is killed', async () => {
    const mqtt = takeoverTimeout(100)
    await scene.start({ roles: ['subscription'], mqtt })
    const b = await scene.start({ mqtt })
    let killed = true
    let step = 0
    for (; killed; step++) {
      const killable = new Killable()
      const a = await scene.start({ wrap: killable.wrap, mqtt })
      const first = await a.connect('same')
      await first.subscribe(['a', 1])
      let done = 0
      killable.onStep = () => {
        if (done++ === step) killable.kill()
      }
      const second = await b.connect('same')
      assert.deepEqual(await second.subscribe(['b', 1]), [1])
      killed = done > step
      await second.disconnect()
      killable.kill()
      scene.forget(a)
      a.take('error')
      await a.stop()
    }
    assert.ok(step > 1, `${step} steps`)
  })

  it('give the filters of each client the publications of both', async () => {
    const [a, b] = [await scene.start(), await scene.start()]
    const [here, there] = [await a.connect('here'), await b.connect('there')]
    await here.subscribe(['+/x', 1], ['#', 0])
    await there.subscribe(['a/#', 1])
    await (await a.connect('publisher here')).publish('a/x', 'from here')
    const publisher = await b.connect('publisher there')
    await publisher.publish('b/x', 'from there')
    await publisher.publish('a/y', 'end')
    const topics = async (client: MqttSocket, count: number): Promise<string[]> => {
      const received: string[] = []
      while (received.length < count) received.push((await client.nextPublish()).payload)
      return received
    }
    assert.deepEqual(await topics(here, 3), ['from here', 'from there', 'end'])
    assert.deepEqual(await topics(there, 2), ['from here', 'end'])
  })
})
