// Retained messages on their way to clients whose sessions die with their connections, with a service that says what the test wants.

import assert from 'node:assert/strict'
import { AmqpError } from '../../../plugin/errors.js'
import type { AddressSpace, ReceiverOptions } from '../../../plugin/host.js'
import { changedSpace, mqttOptions, RunningGateway } from '../../fixtures/gateway.js'
import { Killable } from '../../fixtures/killable.js'
import { puback, publish, subscribe } from '../../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../../fixtures/mqtt-socket.js'
import { ScriptedService, type Asked } from '../../fixtures/scripted-service.js'

const named = (count: number, prefix = 't'): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}/${index}`)

/** The plugin's receivers on reply nodes; `changes` may refuse one, or see its deliveries. */
const withReplyNodes =
  (changes: (options: ReceiverOptions) => ReceiverOptions) =>
  (space: AddressSpace): AddressSpace =>
    changedSpace(space, {
      connect: async as => {
        const connection = await space.connect(as)
        return {
          openSender: options => connection.openSender(options),
          openReceiver: async options =>
            connection.openReceiver(options.address === undefined ? changes(options) : options),
          close: () => connection.close()
        }
      }
    })

describe('retained messages at the gateway', () => {
  let gateway: RunningGateway
  let service: ScriptedService

  async function start(options: Parameters<typeof RunningGateway.start>[0] = {}): Promise<void> {
    gateway = await RunningGateway.start({ roles: ['gateway'], ...options })
    service = await ScriptedService.open(gateway.space)
  }

  afterEach(async () => {
    await gateway.stop()
    await service.close()
  })

  /** SUBSCRIBE and its SUBACK; what the service was asked. */
  async function subscribed(
    client: MqttSocket,
    packetId: number,
    ...filters: readonly (readonly [string, number])[]
  ): Promise<Asked> {
    client.send(subscribe(packetId, ...filters))
    const asked = await service.next()
    asked.accept()
    assert.deepEqual(await client.next(), { cmd: 'suback', packetId, codes: filters.map(([, qos]) => qos) })
    return asked
  }

  /** The topics of the next copies, which are acknowledged. */
  async function take(client: MqttSocket, count: number): Promise<string[]> {
    const topics: string[] = []
    while (topics.length < count) {
      const { topic, packetId, retain } = await client.nextPublish()
      assert.equal(retain, true)
      topics.push(topic)
      if (packetId !== undefined) client.send(puback(packetId))
    }
    return topics
  }

  it('come after the SUBACK, with RETAIN, at the lower of their QoS and the QoS granted [MQTT3-3.3.1-8] [MQTT3-3.8.4-6]', async () => {
    await start()
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
    await start()
    const client = await gateway.connect('c')
    const asked = await subscribed(client, 1, ['#', 1])
    const topics = named(100)
    await asked.copy(topics)
    await asked.end()
    const first = await client.take(20)
    assert.deepEqual(await client.untilPong(), [])
    for (const packet of first) client.send(puback(packet.cmd === 'publish' ? (packet.packetId ?? 0) : 0))
    assert.deepEqual(
      [...first.map(packet => packet.cmd === 'publish' && packet.topic), ...(await take(client, 80))],
      topics
    )
    assert.deepEqual(await client.untilPong(), [])
  })

  it('keep to the receive maximum', async () => {
    await start({ mqtt: mqttOptions({ limits: { receiveMaximum: 3 } }) })
    const client = await gateway.connect('c')
    const asked = await subscribed(client, 1, ['#', 1])
    await asked.copy(named(10))
    await asked.end()
    const first = await client.take(3)
    assert.deepEqual(await client.untilPong(), [])
    for (const packet of first) client.send(puback(packet.cmd === 'publish' ? (packet.packetId ?? 0) : 0))
    assert.deepEqual(await take(client, 7), named(10).slice(3))
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
    await start({
      wrap: withReplyNodes(counted),
      mqtt: mqttOptions({ limits }),
      limits: { volatileQueueBytes: 1 << 28 }
    })
    const [slow, quick] = [await gateway.connect('slow'), await gateway.connect('quick')]
    const asked = await subscribed(slow, 1, ['#', 0])
    slow.pauseReading()
    const topics = named(1000)
    await asked.copy(topics, { payload: 'x'.repeat(65_000) })
    await asked.end()
    let before = -1
    while (before !== delivered) {
      before = delivered
      assert.deepEqual(await quick.untilPong(), [])
    }
    assert.ok(delivered < 500, `${delivered} came to the gateway`)
    slow.resumeReading()
    assert.deepEqual(await take(slow, 1000), topics)
    assert.equal(gateway.metric('mqtt_publications_dropped_total'), 0)
  })

  it('are dropped where the topic came live meanwhile, and come with the next SUBSCRIBE [MQTT3-3.8.4-3]', async () => {
    await start()
    const client = await gateway.connect('c')
    const asked = await subscribed(client, 1, ['#', 1])
    const publisher = await gateway.connect('publisher')
    const long = 'a topic with a long name'
    for (const topic of ['short', long]) await publisher.publish(topic, 'newer')
    await client.take(2)
    await asked.copy(['short', 'other', long])
    assert.deepEqual(await take(client, 1), ['other'])
    await asked.end()
    await publisher.publish('end', 'end')
    assert.equal((await client.nextPublish()).topic, 'end')
    // those that came live are not acknowledged, and nobody waits for that
    const again = await subscribed(client, 2, ['#', 1])
    await again.copy(['short', 'other', long])
    assert.deepEqual(await take(client, 3), ['short', 'other', long])
  })

  it('of a SUBSCRIBE during a replay come after it, in one more for all that waited', async () => {
    await start()
    const client = await gateway.connect('c')
    const first = await subscribed(client, 1, ['a/#', 1])
    const [second, third] = [await subscribed(client, 2, ['b/#', 1]), await subscribed(client, 3, ['c/#', 0])]
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
    assert.deepEqual(await take(client, 2), ['b/1', 'c/1'])
    assert.deepEqual(await client.untilPong(), [])
    assert.equal(service.untaken, 0)
  })

  it('use one link for one client after the other', async () => {
    await start()
    const used = new Set<string>()
    for (let index = 0; index < 50; index++) {
      const client = await gateway.connect(`c${index}`)
      const asked = await subscribed(client, 1, ['#', 0])
      used.add(asked.replayTo)
      await asked.copy([`t/${index}`])
      await asked.end()
      assert.deepEqual(await take(client, 1), [`t/${index}`])
      assert.deepEqual(await client.untilPong(), [])
      await client.disconnect()
    }
    assert.equal(used.size, 1)
  })

  it('of filters that a client has left do not come any more [MQTT3-3.10.4-2]', async () => {
    await start()
    const client = await gateway.connect('c')
    const asked = await subscribed(client, 1, ['a/#', 1], ['b/#', 1])
    await asked.copy(['a/1'])
    assert.deepEqual(await take(client, 1), ['a/1'])
    await client.unsubscribe('a/#')
    await asked.copy(['a/2', 'b/1'])
    assert.deepEqual(await take(client, 1), ['b/1'])
    await client.unsubscribe('b/#')
    await assert.rejects(asked.copy(['b/2']))
    // the next one has a link of its own
    const next = await subscribed(client, 2, ['b/#', 1])
    assert.notEqual(next.replayTo, asked.replayTo)
    await next.copy(['b/3'])
    assert.deepEqual(await take(client, 1), ['b/3'])
  })

  it('of a client that has gone go nowhere, and its link is nobody else’s', async () => {
    await start()
    const gone = await gateway.connect('gone')
    const asked = await subscribed(gone, 1, ['#', 1])
    await asked.copy(named(100))
    await gone.take(20)
    await gone.disconnect()
    const next = await gateway.connect('next')
    const other = await subscribed(next, 1, ['#', 1])
    assert.notEqual(other.replayTo, asked.replayTo)
    await assert.rejects(asked.end())
    await other.copy(['mine'])
    await other.end()
    assert.deepEqual(await take(next, 1), ['mine'])
  })

  it('are asked for again where the service goes before their end, and only those', async () => {
    await start()
    const [done, cut] = [await gateway.connect('done'), await gateway.connect('cut')]
    const first = await subscribed(done, 1, ['a/#', 1])
    await first.end()
    const [kept, left] = [await subscribed(cut, 1, ['a/#', 1], ['left', 1]), await done.untilPong()]
    assert.deepEqual(left, [])
    await kept.copy(['a/1'])
    assert.deepEqual(await take(cut, 1), ['a/1'])
    await cut.unsubscribe('left')
    await service.close()
    service = await ScriptedService.open(gateway.space)
    const announced = [await service.next(), await service.next()]
    assert.deepEqual(
      announced.map(({ request }) => [request.clientId, request.replayTo]),
      [
        ['done', undefined],
        ['cut', undefined]
      ]
    )
    for (const each of announced) each.accept()
    const again = await service.next()
    assert.deepEqual([again.request.clientId, again.filters], ['cut', ['a/#']])
    again.accept()
    await again.copy(['a/1', 'a/2'])
    await again.end()
    assert.deepEqual(await take(cut, 2), ['a/1', 'a/2'])
    assert.deepEqual(await cut.untilPong(), [])
    assert.equal(service.untaken, 0)
  })

  it('of a SUBSCRIBE that no service has answered come from the next one', async () => {
    await start()
    const client = await gateway.connect('c')
    client.send(subscribe(1, ['#', 1]))
    const lost = await service.next()
    await lost.copy(['old'])
    await service.close()
    service = await ScriptedService.open(gateway.space)
    const announced = await service.next()
    assert.equal(announced.request.replayTo, undefined)
    announced.accept()
    const repeated = await service.next()
    assert.equal(repeated.request.packetId, 1)
    repeated.accept()
    assert.deepEqual(await client.next(), { cmd: 'suback', packetId: 1, codes: [1] })
    const asked = await service.next()
    assert.notEqual(asked.replayTo, lost.replayTo)
    asked.accept()
    await asked.copy(['new'])
    assert.deepEqual(await take(client, 1), ['new'])
  })

  it('are asked for again where the host loses the gateway’s connection', async () => {
    const lossy = new Killable()
    await start({ wrap: lossy.wrap })
    const client = await gateway.connect('c')
    const lost = await subscribed(client, 1, ['#', 0])
    await lost.copy(['one'])
    assert.deepEqual(await take(client, 1), ['one'])
    lossy.loseConnections()
    const announced = await service.next()
    assert.equal(announced.request.replayTo, undefined)
    announced.accept()
    const asked = await service.next()
    asked.accept()
    await asked.copy(['one', 'two'])
    await asked.end()
    assert.deepEqual(await take(client, 2), ['one', 'two'])
  })

  it('end a client whose replay the service will not make again, for it would miss some', async () => {
    await start()
    const client = await gateway.connect('c')
    const first = await subscribed(client, 1, ['a', 1])
    await subscribed(client, 2, ['b', 1])
    await first.end()
    const rest = await service.next()
    rest.reject('amqp:resource-limit-exceeded')
    assert.deepEqual(await client.untilClosed(), [])
    assert.equal(gateway.take('warn').at(-1)?.fields['code'], 'sourceLost')
  })

  it('come for the filters that the service granted, of those that it was asked for [MQTT3-3.8.4-5]', async () => {
    await start()
    const client = await gateway.connect('c')
    client.send(subscribe(1, ['good', 1], ['bad', 1]))
    const asked = await service.next()
    asked.reject('amqp:precondition-failed', new Map([['bad', '135']]))
    assert.deepEqual(await client.next(), { cmd: 'suback', packetId: 1, codes: [1, 0x80] })
    await asked.copy(['good'])
    await asked.end()
    assert.deepEqual(await take(client, 1), ['good'])
    gateway.take('warn')
  })

  it('leave a subscription as it is where the host makes no reply nodes, and that is told once', async () => {
    const wrap = withReplyNodes(() => {
      throw new AmqpError('amqp:not-found', 'there is no such address')
    })
    await start({ wrap })
    const client = await gateway.connect('c')
    for (const packetId of [1, 2]) {
      const asked = await subscribed(client, packetId, ['a', 1])
      assert.equal(asked.request.replayTo, undefined)
    }
    client.send(publish('a', 'live'))
    assert.equal((await client.nextPublish()).payload, 'live')
    assert.equal(service.untaken, 0)
    const told = gateway.take('warn').filter(({ message }) => message.includes('reply nodes'))
    assert.equal(told.length, 1)
  })

  it('make a SUBSCRIBE fail where the host has no link for them [MQTT3-3.8.4-5]', async () => {
    const wrap = withReplyNodes(() => {
      throw new AmqpError('amqp:resource-limit-exceeded', 'too many links')
    })
    await start({ wrap })
    const client = await gateway.connect('c')
    assert.deepEqual(await client.subscribe(['a', 1]), [0x80])
    assert.match(gateway.take('warn').at(-1)?.message ?? '', /no replay channel/)
    client.send(publish('a', 'ghost'))
    assert.deepEqual(await client.untilPong(), [])
  })
})
