// Retained messages at the Subscription Service: published with MQTT or AMQP, kept, replayed to AMQP clients.

import assert from 'node:assert/strict'
import type { AmqpConnection, AmqpValue, Message } from '../../../plugin/host.js'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { encodePublication } from '../../../plugin/messages/publish.js'
import { isReplayed } from '../../../plugin/messages/replay.js'
import { readRetained, RETAINED_STORE } from '../../../plugin/messages/retained.js'
import type { Qos } from '../../../plugin/mqtt/packets.js'
import { RunningGateway } from '../../fixtures/gateway.js'
import { ReceivedPublications } from '../../fixtures/publications-of-a-queue.js'
import { ServiceClient } from '../../fixtures/service-client.js'

const QUEUE = publishAddress('x')
/** of publications that expire, ms */
const LIFE_MS = 1000

describe('retained messages at the Subscription Service', () => {
  let service: RunningGateway
  let amqp: AmqpConnection
  let client: ServiceClient

  beforeEach(async () => {
    service = await RunningGateway.start()
    await connect()
  })
  afterEach(() => service.stop())

  async function connect(): Promise<void> {
    amqp = await service.space.connect('service')
    client = new ServiceClient(amqp, 'x', undefined)
  }

  /** Sends to the relay; resolves when it is accepted. */
  async function send(message: Message): Promise<void> {
    const sender = await amqp.openSender({ address: undefined })
    const { type } = await new Promise<{ readonly type: string }>(resolve => sender.send(message, resolve))
    assert.equal(type, 'accepted')
    await sender.close()
  }

  const retain = (topic: string, payload: string, qos: Qos = 1): Promise<void> =>
    send(encodePublication({ topic, payload: Buffer.from(payload), qos, retain: true, dup: false }))

  const receive = (): Promise<ReceivedPublications> => ReceivedPublications.attach(amqp, QUEUE)

  it('come into the queue of an AMQP client that subscribes, from MQTT and AMQP publishers', async () => {
    const mqtt = await service.connect('publisher')
    await mqtt.publish('a/mqtt', 'one', { retain: true })
    await mqtt.publish('a/live', 'not retained')
    await retain('a/amqp', 'two')
    await retain('b', 'of another topic')
    assert.equal(await client.subscribe('a/#'), 'accepted')
    const received = await receive()
    await received.count(2)
    await mqtt.publish('a/live', 'live', { retain: true })
    await received.count(3)
    assert.deepEqual(received.texts, ['a/amqp=two retained', 'a/mqtt=one retained', 'a/live=live'])
  })

  it('are the last of each topic, and none where that was empty', async () => {
    for (const payload of ['1', '2', '3']) await retain('a', payload)
    await retain('b', '1')
    await retain('b', '')
    await retain('c', '1', 0)
    await client.subscribe('+')
    const received = await receive()
    await received.count(2)
    assert.deepEqual(received.texts, ['a=3 retained', 'c=1 retained'])
    assert.deepEqual(
      received.publications.map(({ qos }) => qos),
      [1, 0]
    )
  })

  it('are flagged, have a uid of their own, and keep fields, body and QoS', async () => {
    const uid = Buffer.alloc(16, 7)
    const body = { type: 'value', value: new Map([['key', 'value']]) } as const
    await send({
      durable: true,
      deliveryCount: 1,
      annotations: new Map<string, AmqpValue>([
        ['x-opt-retain-message', true],
        ['x-opt-mqtt-uid', uid],
        ['x-opt-mqtt-dup', true],
        ['x-opt-other', 'kept']
      ]),
      properties: { to: 'a', contentType: 'text/x', correlationId: 'c', messageId: 'm' },
      applicationProperties: new Map([
        ['kind', 'kept'],
        ['_AMQ_DUPL_ID', 'an id that is taken now']
      ]),
      body
    })
    for (const _time of [1, 2]) await client.subscribe('a')
    const received = await receive()
    await received.count(2)
    const messages = received.deliveries.map(({ message }) => message)
    const uids = messages.map(({ annotations }) => annotations.get('x-opt-mqtt-uid'))
    assert.ok(uids.every(each => each instanceof Uint8Array && each.length === 16))
    assert.equal(new Set([uid, ...(uids as Buffer[])].map(each => each.toString('hex'))).size, 3)
    for (const {
      durable,
      deliveryCount,
      annotations,
      properties,
      applicationProperties,
      body: copy
    } of messages) {
      assert.deepEqual([durable, deliveryCount], [true, 0])
      const others = [...annotations].filter(([name]) => name !== 'x-opt-mqtt-uid')
      assert.deepEqual(
        new Map(others),
        new Map<string, AmqpValue>([
          ['x-opt-retain-message', true],
          ['x-opt-other', 'kept'],
          ['x-opt-mqtt-retained', true],
          ['x-opt-mqtt-qos', 1]
        ])
      )
      assert.equal(properties.to, 'a')
      assert.equal(properties.contentType, 'text/x')
      assert.equal(properties.correlationId, 'c')
      assert.deepEqual(applicationProperties, new Map([['kind', 'kept']]))
      assert.deepEqual(copy, body)
    }
  })

  it('of topics that begin with $ match as MQTT says, and those of the plugin are none', async () => {
    // this host has no topics that begin with $: the store says what another one would
    const publication = {
      topic: '$own/a',
      payload: Buffer.from('1'),
      qos: 1,
      retain: true,
      dup: false
    } as const
    const update = readRetained(encodePublication(publication), Date.now())
    assert.ok(update?.record !== undefined)
    await (await service.space.store(RETAINED_STORE)).put(update.topic, update.record)
    await retain('a', '1')
    await client.subscribe('#')
    const received = await receive()
    await received.count(1)
    assert.deepEqual(received.texts, ['a=1 retained'])
    await client.subscribe('$own/#')
    await received.count(2)
    assert.deepEqual(received.texts.slice(1), ['$own/a=1 retained'])
  })

  it('match a filter that ends in /# at its parent, and no other topic that begins so', async () => {
    for (const topic of ['a', 'a/', 'a/b/c', 'ab', 'b/a']) await retain(topic, '1')
    await client.subscribe('a/#', 'a/b/+', 'a')
    const received = await receive()
    await received.count(3)
    assert.deepEqual(received.texts.sort(), ['a/=1 retained', 'a/b/c=1 retained', 'a=1 retained'])
    await client.subscribe('end')
    await retain('end', 'no more')
    await received.count(4)
    assert.deepEqual(received.texts.slice(3), ['end=no more'])
  })

  it('come again with each subscription, and not to a session that is there already', async () => {
    await retain('a', '1')
    await client.subscribe('a')
    await client.subscribe('a')
    const received = await receive()
    await received.count(2)
    assert.deepEqual(received.texts, ['a=1 retained', 'a=1 retained'])
  })

  it('expire, by absolute-expiry-time and by ttl, and are deleted then', async () => {
    const publication = (topic: string, qos: Qos): Message =>
      encodePublication({ topic, payload: Buffer.from('1'), qos, retain: true, dup: false })
    const parts = ({
      durable,
      deliveryCount,
      annotations,
      properties,
      applicationProperties,
      body
    }: Message) => ({
      ...{ durable, deliveryCount, annotations, properties, applicationProperties, body }
    })
    const soon = parts(publication('a/soon', 1))
    // long enough for all that must come before
    const at = Date.now() + LIFE_MS
    await send({ ...soon, properties: { ...soon.properties, absoluteExpiryTime: at } })
    await send({ ...parts(publication('a/ttl', 1)), ttlMs: LIFE_MS })
    await send({ ...parts(publication('a/late', 1)), ttlMs: 60_000 })
    await client.subscribe('a/soon')
    const first = await receive()
    await first.count(1)
    assert.ok((first.deliveries[0]?.message.properties.absoluteExpiryTime ?? 0) === at)
    await new Promise(resolve => setTimeout(resolve, at + 20 - Date.now()))
    await client.subscribe('a/+')
    await first.count(2)
    assert.deepEqual(first.texts.slice(1), ['a/late=1 retained'])
    const { absoluteExpiryTime = 0 } = first.deliveries[1]?.message.properties ?? {}
    assert.ok(absoluteExpiryTime > Date.now() + 50_000 && absoluteExpiryTime <= Date.now() + 60_000)
    await client.subscribe('a/soon', 'a/ttl')
    const store = await service.space.store('retained')
    while ((await store.get('a/soon')) !== undefined || (await store.get('a/ttl')) !== undefined)
      await new Promise(setImmediate)
  })

  it('survive a restart of the service, and those published while none was there are seen', async () => {
    await retain('a', '1')
    await retain('b', '1')
    await service.hooks.addressSpaceRemoved('default')
    await retain('b', '2')
    await retain('c', '', 0)
    await service.hooks.addressSpaceAdded(service.space)
    await client.subscribe('#')
    const received = await receive()
    await received.count(2)
    assert.deepEqual(received.texts, ['a=1 retained', 'b=2 retained'])
  })

  it('go to replay-to with a marker at their end, and not into the queue', async () => {
    await retain('a', '1')
    await retain('b', '1')
    const replay = await ReceivedPublications.attach(amqp, undefined)
    const request = { type: 'subscribe', clientId: 'x', delivery: 'queue', partial: false } as const
    const filters = new Map<string, Qos>([['#', 1]])
    assert.equal(
      await client.request({ ...request, filters, replayTo: replay.address, packetId: 77 }),
      'accepted'
    )
    await replay.count(3)
    assert.deepEqual(replay.texts.slice(0, 2), ['a=1 retained', 'b=1 retained'])
    const marker = replay.deliveries[2]?.message
    assert.ok(marker !== undefined && isReplayed(marker))
    assert.equal(marker.properties.messageId, 77)
    assert.equal(marker.properties.correlationId, QUEUE)
    const received = await receive()
    await retain('live', '1')
    await received.count(1)
    assert.deepEqual(received.texts, ['live=1'])
  })

  it('of an inbox session without replay-to go nowhere', async () => {
    await retain('a', '1')
    const mqtt = await service.connect('x')
    const filters = new Map<string, Qos>([['b', 1]])
    const request = { type: 'subscribe', clientId: 'x', delivery: 'inbox', partial: false, filters } as const
    assert.equal(await client.request(request), 'accepted')
    assert.deepEqual(await mqtt.untilPong(), [])
    assert.deepEqual(await service.space.queues.list('$mqtt.to.'), [])
  })
})
