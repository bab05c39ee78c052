// Retained messages on their way to clients whose sessions die with their connections, with a service that says what the test wants.

import assert from 'node:assert/strict'
import type { ReceiverOptions } from '../../../plugin/host.js'
import { mqttOptions } from '../../fixtures/gateway.js'
import { puback, publish, subscribe } from '../../fixtures/mqtt-bytes.js'
import { takeCopies, withReplyNodes } from '../../fixtures/scripted-service.js'
import { ReplayScene } from './replay-scene.js'

const named = (count: number, prefix = 't'): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}/${index}`)

describe('retained messages at the gateway', () => {
  const scene = new ReplayScene()
  afterEach(() => scene.stop())

  it('come after the SUBACK, with RETAIN, at the lower of their QoS and the QoS granted [MQTT3-3.3.1-8] [MQTT3-3.8.4-6]', async () => {
    const { gateway, service } = await scene.start()
    const client = await gateway.connect('c')
    client.send(subscribe(7, ['one/#', 1], ['zero/#', 0]))
    const asked = await service.next()
    await asked.copy(['one/a', 'zero/a'])
    await asked.copy(['one/b'], { qos: 0 })
    assert.deepEqual(await client.untilPong(), [])
    asked.accept()
    assert.deepEqual(await client.next(), { cmd: 'suback', packetId: 7, codes: [1, 0] })
    const got = [await client.nextPublish(), await client.nextPublish(), await client.nextPublish()]
    assert.deepEqual(
      got.map(({ topic, qos, retain, dup }) => [topic, qos, retain, dup]),
      [
        ['one/a', 1, true, false],
        ['zero/a', 0, true, false],
        ['one/b', 0, true, false]
      ]
    )
    client.send(publish('one/a', 'live', { retain: true }))
    assert.equal((await client.nextPublish()).retain, false)
  })

  it('come at the pace of the client: 20 at once, and all of them', async () => {
    const { gateway, service } = await scene.start()
    const client = await gateway.connect('c')
    const asked = await service.subscribed(client, 1, ['#', 1])
    const topics = named(100)
    await asked.copy(topics)
    await asked.end()
    const first = await client.take(20)
    assert.deepEqual(await client.untilPong(), [])
    for (const packet of first) client.send(puback(packet.cmd === 'publish' ? (packet.packetId ?? 0) : 0))
    assert.deepEqual(
      [...first.map(packet => packet.cmd === 'publish' && packet.topic), ...(await takeCopies(client, 80))],
      topics
    )
    assert.deepEqual(await client.untilPong(), [])
  })

  it('keep to the receive maximum', async () => {
    const { gateway, service } = await scene.start({ mqtt: mqttOptions({ limits: { receiveMaximum: 3 } }) })
    const client = await gateway.connect('c')
    const asked = await service.subscribed(client, 1, ['#', 1])
    await asked.copy(named(10))
    await asked.end()
    const first = await client.take(3)
    assert.deepEqual(await client.untilPong(), [])
    for (const packet of first) client.send(puback(packet.cmd === 'publish' ? (packet.packetId ?? 0) : 0))
    assert.deepEqual(await takeCopies(client, 7), named(10).slice(3))
  })

  it('wait at the host for a client that does not read, and none is dropped', async () => {
    let delivered = 0
    const counted = (options: ReceiverOptions): ReceiverOptions => ({
      ...options,
      onDelivery: delivery => {
        delivered += 1
        options.onDelivery(delivery)
      }
    })
    const limits = { bufferedBytes: 4096 }
    const { gateway, service } = await scene.start({
      wrap: withReplyNodes(counted),
      mqtt: mqttOptions({ limits }),
      limits: { volatileQueueBytes: 1 << 28 }
    })
    const [slow, quick] = [await gateway.connect('slow'), await gateway.connect('quick')]
    const asked = await service.subscribed(slow, 1, ['#', 0])
    slow.pauseReading()
    const topics = named(1000)
    const sending = asked.copy(topics, { payload: 'x'.repeat(65_000) }).then(() => asked.end())
    let before = -1
    while (before !== delivered) {
      before = delivered
      assert.deepEqual(await quick.untilPong(), [])
    }
    assert.ok(delivered < 500, `${delivered} came to the gateway`)
    slow.resumeReading()
    assert.deepEqual(await takeCopies(slow, 1000), topics)
    await sending
    assert.equal(gateway.metric('mqtt_publications_dropped_total'), 0)
  })

  it('are dropped where the topic came live meanwhile, and come with the next SUBSCRIBE [MQTT3-3.8.4-3]', async () => {
    const { gateway, service } = await scene.start()
    const client = await gateway.connect('c')
    const asked = await service.subscribed(client, 1, ['#', 1])
    const publisher = await gateway.connect('publisher')
    const long = 'a topic with a long name'
    for (const topic of ['short', long]) await publisher.publish(topic, 'newer')
    await client.take(2)
    await asked.copy(['short', 'other', long])
    assert.deepEqual(await takeCopies(client, 1), ['other'])
    await asked.end()
    await publisher.publish('end', 'end')
    assert.equal((await client.nextPublish()).topic, 'end')
    // those that came live are not acknowledged, and nobody waits for that
    const again = await service.subscribed(client, 2, ['#', 1])
    await again.copy(['short', 'other', long])
    assert.deepEqual(await takeCopies(client, 3), ['short', 'other', long])
  })

  it('come where the client was too slow for what came live of their topics', async () => {
    const { gateway, service } = await scene.start({ mqtt: mqttOptions({ limits: { bufferedBytes: 4096 } }) })
    const [client, publisher] = [await gateway.connect('c'), await gateway.connect('publisher')]
    const asked = await service.subscribed(client, 1, ['#', 0])
    client.pauseReading()
    const dropped = (): number => gateway.metric('mqtt_publications_dropped_total')
    const topics: string[] = []
    while (dropped() < 10) {
      const topic = `t/${topics.length}`
      assert.ok(topics.push(topic) < 1000, 'nothing is dropped')
      publisher.send(publish(topic, 'x'.repeat(65_000)))
      assert.deepEqual(await publisher.untilPong(), [])
    }
    const sending = asked.copy(topics).then(() => asked.end())
    client.resumeReading()
    const live = topics.length - dropped()
    const got = [...(await client.take(live)), ...(await client.take(dropped()))]
    await sending
    assert.deepEqual(
      got.map(packet => packet.cmd === 'publish' && packet.topic),
      topics
    )
    assert.deepEqual(
      got.map(packet => packet.cmd === 'publish' && packet.retain),
      topics.map((_, index) => index >= live)
    )
    assert.deepEqual(await client.untilPong(), [])
  })

  it('of a SUBSCRIBE during a replay come after it, in one more for all that waited', async () => {
    const { gateway, service } = await scene.start()
    const client = await gateway.connect('c')
    const first = await service.subscribed(client, 1, ['a/#', 1])
    const [second, third] = [
      await service.subscribed(client, 2, ['b/#', 1]),
      await service.subscribed(client, 3, ['c/#', 0])
    ]
    assert.deepEqual([second.request.replayTo, third.request.replayTo], [undefined, undefined])
    await first.copy(['a/1'])
    await first.end()
    const { packetId } = await client.nextPublish()
    assert.deepEqual(await client.untilPong(), [])
    assert.equal(service.untaken, 0)
    client.send(puback(packetId ?? 0))
    const rest = await service.next()
    assert.deepEqual([...rest.request.filters], [...second.request.filters, ...third.request.filters])
    rest.accept()
    await rest.copy(['b/1', 'c/1'])
    await rest.end()
    assert.deepEqual(await takeCopies(client, 2), ['b/1', 'c/1'])
    assert.deepEqual(await client.untilPong(), [])
    assert.equal(service.untaken, 0)
  })

  it('use one link for one client after the other', async () => {
    const { gateway, service } = await scene.start()
    const used = new Set<string>()
    for (let index = 0; index < 50; index++) {
      const client = await gateway.connect(`c${index}`)
      const asked = await service.subscribed(client, 1, ['#', 0])
      used.add(asked.replayTo)
      await asked.copy([`t/${index}`])
      await asked.end()
      assert.deepEqual(await takeCopies(client, 1), [`t/${index}`])
      assert.deepEqual(await client.untilPong(), [])
      await client.disconnect()
    }
    assert.equal(used.size, 1)
  })

  it('of filters that a client has left do not come any more [MQTT3-3.10.4-2]', async () => {
    const { gateway, service } = await scene.start()
    const client = await gateway.connect('c')
    const asked = await service.subscribed(client, 1, ['a/#', 1], ['b/#', 1])
    await asked.copy(['a/1'])
    assert.deepEqual(await takeCopies(client, 1), ['a/1'])
    await client.unsubscribe('a/#')
    await asked.copy(['a/2', 'b/1'])
    assert.deepEqual(await takeCopies(client, 1), ['b/1'])
    await client.unsubscribe('b/#')
    await assert.rejects(asked.copy(['b/2']))
    // the next one has a link of its own
    const next = await service.subscribed(client, 2, ['b/#', 1])
    assert.notEqual(next.replayTo, asked.replayTo)
    await next.copy(['b/3'])
    assert.deepEqual(await takeCopies(client, 1), ['b/3'])
  })

  it('of a client that has gone go nowhere, and its link is nobody else’s', async () => {
    const { gateway, service } = await scene.start()
    const gone = await gateway.connect('gone')
    const asked = await service.subscribed(gone, 1, ['#', 1])
    await asked.copy(named(100))
    await gone.take(20)
    await gone.disconnect()
    const next = await gateway.connect('next')
    const other = await service.subscribed(next, 1, ['#', 1])
    assert.notEqual(other.replayTo, asked.replayTo)
    await assert.rejects(asked.end())
    await other.copy(['mine'])
    await other.end()
    assert.deepEqual(await takeCopies(next, 1), ['mine'])
  })
})
