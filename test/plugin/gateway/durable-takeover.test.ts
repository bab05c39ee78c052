// Sessions that outlive their connection go from one gateway to another: one that obeys, dies, freezes or is not ours.

import assert from 'node:assert/strict'
import type { LinkClosed } from '../../../plugin/host.js'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { mqttOptions } from '../../fixtures/gateway.js'
import { Killable } from '../../fixtures/killable.js'
import { connect, puback } from '../../fixtures/mqtt-bytes.js'
import { ServiceClient } from '../../fixtures/service-client.js'
import { again, take, DurableScene } from './durable-scene.js'

const QUEUE = publishAddress('x')
const takeoverTimeout = (takeoverTimeoutMs: number): object =>
  mqttOptions({ services: { takeoverTimeoutMs } })

describe('durable sessions at several gateways', () => {
  const scene = new DurableScene()

  afterEach(() => scene.stop())

  it('go to another gateway with what was on its way, under the same packet ids [MQTT3-4.4.0-1]', async () => {
    const [a, b] = [await scene.start(), await scene.start()]
    const first = await scene.subscribed(a)
    await scene.send(b, '1', '2', '3')
    const sent = await take(first, 3)
    first.send(puback(sent[1]?.packetId ?? 0))
    const second = await scene.come(b, true)
    assert.deepEqual(await first.untilClosed(), [])
    assert.deepEqual(await take(second, 2), again(sent.filter(({ payload }) => payload !== '2')))
    await scene.send(a, '4')
    assert.equal((await second.nextPublish()).payload, '4')
  })

  it('lose nothing wherever in a takeover the gateway of the older connection is killed', async () => {
    const mqtt = takeoverTimeout(100)
    await scene.start({ roles: ['subscription'], mqtt })
    const b = await scene.start({ mqtt })
    let killed = true
    let step = 0
    for (; killed; step++) {
      const killable = new Killable()
      const a = await scene.start({ wrap: killable.wrap, mqtt })
      const clean = await b.connect('x')
      await clean.disconnect()
      const first = await scene.subscribed(a)
      await scene.send(b, '1', '2', '3')
      const sent = await take(first, 3)
      first.send(puback(sent[0]?.packetId ?? 0))
      assert.deepEqual(await first.untilPong(), [])
      let done = 0
      killable.onStep = () => {
        if (done++ === step) killable.kill()
      }
      const second = await scene.come(b, true)
      assert.deepEqual(
        (await take(second, 2)).map(({ payload, dup }) => [payload, dup]),
        [
          ['2', true],
          ['3', true]
        ]
      )
      killed = done > step
      await second.disconnect()
      killable.kill()
      scene.forget(a)
      a.take('error')
      await a.stop()
    }
    assert.ok(step > 3, `${step} steps`)
  })

  it('are taken from a gateway that does not answer, which writes and settles nothing any more', async () => {
    const frozen = new Killable()
    const mqtt = takeoverTimeout(100)
    const [a, b] = [await scene.start({ wrap: frozen.wrap, mqtt }), await scene.start({ mqtt })]
    const first = await scene.subscribed(a)
    await scene.send(b, '1', '2')
    const sent = await take(first, 2)
    frozen.freeze()
    const second = await scene.come(b, true)
    const got = await take(second, 2)
    assert.deepEqual(
      got.map(({ payload }) => payload),
      ['1', '2']
    )
    first.send(...sent.map(({ packetId }) => puback(packetId ?? 0)))
    frozen.thaw()
    assert.deepEqual(await first.untilClosed(), [])
    assert.equal(a.metric('mqtt_disconnects_total', { reason: 'sessionTakenOver' }), 1)
    assert.deepEqual(await scene.records(a), [])
    second.reset()
    const third = await scene.come(a, true)
    assert.deepEqual(await take(third, 2), again(got))
  })

  for (const [connection, who] of [
    ['c1', 'ignores the order'],
    [undefined, 'cannot be told, as originals']
  ] as const)
    it(`are taken from a gateway that ${who}`, async () => {
      const mqtt = takeoverTimeout(50)
      const gateway = await scene.start({ mqtt })
      const amqp = await gateway.space.connect('service')
      const original = new ServiceClient(amqp, 'x', connection)
      await original.attachControl()
      assert.equal(await original.list(), 'accepted')
      assert.equal(await original.subscribe('t/#'), 'accepted')
      const closed = new Promise<LinkClosed>(resolve => {
        void amqp.openReceiver({
          ...{ address: QUEUE, window: 10, exclusive: true },
          onDelivery: () => undefined,
          onClosed: resolve
        })
      })
      await scene.send(gateway, '1')
      const client = await scene.come(gateway, true)
      assert.equal((await closed).error?.condition, 'amqp:resource-deleted')
      assert.equal((await client.nextPublish()).payload, '1')
      await amqp.close()
    })

  it('give back what they had when the gateway stops [MQTT3-4.4.0-1]', async () => {
    const [a, b] = [await scene.start(), await scene.start()]
    const first = await scene.subscribed(b)
    await scene.send(a, '1', '2')
    const sent = await take(first, 2)
    await b.closeHost()
    await first.untilClosed()
    const second = await scene.come(a, true)
    assert.deepEqual(await take(second, 2), again(sent))
  })

  it('lose nothing wherever in a takeover the service is killed and another one takes its place', async () => {
    const mqtt = takeoverTimeout(200)
    let killed = true
    let step = 0
    for (; killed; step++) {
      const fresh = new DurableScene()
      const killable = new Killable()
      const service = await fresh.start({ roles: ['subscription'], wrap: killable.wrap, mqtt })
      const [a, b] = [await fresh.start({ mqtt }), await fresh.start({ mqtt })]
      await fresh.start({ roles: ['subscription'], mqtt })
      const first = await fresh.subscribed(a)
      await fresh.send(b, '1', '2', '3')
      const sent = await take(first, 3)
      first.send(puback(sent[0]?.packetId ?? 0))
      assert.deepEqual(await first.untilPong(), [])
      let done = 0
      killable.onStep = () => {
        if (done++ === step) killable.kill()
      }
      const second = await fresh.come(b, true)
      assert.deepEqual(await take(second, 2), again(sent.slice(1)))
      assert.deepEqual(await second.subscribe(['u', 1]), [1])
      killed = done > step
      killable.kill()
      service.take('error')
      await fresh.stop()
    }
    assert.ok(step > 5, `${step} steps`)
  })

  it('are at one of 12 connections that come at once by three gateways [MQTT3-3.1.4-2]', async () => {
    const gateways = [await scene.start(), await scene.start(), await scene.start()]
    const [first] = gateways
    assert.ok(first)
    await (await scene.subscribed(first)).disconnect()
    await scene.send(first, '1')
    for (let round = 0; round < 5; round++) {
      const clients = await Promise.all(
        Array.from({ length: 12 }, (_, index) => (gateways[index % 3] ?? assert.fail()).open())
      )
      for (const client of clients) client.send(connect({ clientId: 'x', clean: false }))
      const left = new Set(clients)
      for (const client of clients)
        void client.untilClosed().then(
          () => left.delete(client),
          () => undefined
        )
      const witness = await first.connect('witness')
      while (left.size > 1) await witness.untilPong()
      const [last] = left
      assert.ok(last)
      assert.deepEqual(await last.next(), { cmd: 'connack', sessionPresent: true, returnCode: 0 })
      const { payload, dup } = await last.nextPublish()
      assert.equal(payload, '1')
      assert.ok(round === 0 || dup)
      assert.deepEqual(await last.untilPong(), [])
      await witness.disconnect()
      await last.disconnect()
    }
  })
})
