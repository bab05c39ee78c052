// Sessions that outlive their connection, as a gateway has them at the host: records, links that are lost, services that are new.

import assert from 'node:assert/strict'
import { AmqpError } from '../../../plugin/errors.js'
import type { AddressSpace } from '../../../plugin/host.js'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { encodeAwayMark } from '../../../plugin/messages/away-mark.js'
import { encodePublication } from '../../../plugin/messages/publish.js'
import { encodeInFlight, IN_FLIGHT_STORE } from '../../../plugin/messages/in-flight.js'
import { changedSpace, mqttOptions } from '../../fixtures/gateway.js'
import { connect, puback, publish } from '../../fixtures/mqtt-bytes.js'
import { QueueLinks } from '../../fixtures/queue-links.js'
import { ServiceClient } from '../../fixtures/service-client.js'
import { again, take, DurableScene } from './durable-scene.js'

const takeoverTimeout = (takeoverTimeoutMs: number): object =>
  mqttOptions({ services: { takeoverTimeoutMs } })

const QUEUE = publishAddress('x')

/** Messages with this subject never come. */
const deafTo = (space: AddressSpace, subject: string): AddressSpace =>
  changedSpace(space, {
    connect: async as => {
      const connection = await space.connect(as)
      return {
        openSender: options => connection.openSender(options),
        openReceiver: options =>
          connection.openReceiver({
            ...options,
            onDelivery: delivery => {
              if (delivery.message.properties.subject === subject) delivery.settle({ type: 'accepted' })
              else options.onDelivery(delivery)
            }
          }),
        close: () => connection.close()
      }
    }
  })

describe('durable sessions at the gateway', () => {
  const scene = new DurableScene()

  afterEach(() => scene.stop())

  it('have one record of what is on its way while their client is away, and none when it has all', async () => {
    const gateway = await scene.start()
    const first = await scene.subscribed(gateway)
    await scene.send(gateway, '1', '2')
    const sent = await take(first, 2)
    assert.deepEqual(await scene.records(gateway), [])
    first.reset()
    const second = await scene.come(gateway, true)
    assert.deepEqual(await take(second, 2), again(sent))
    assert.equal((await scene.records(gateway)).length, 1)
    second.send(...sent.map(({ packetId }) => puback(packetId ?? 0)))
    await second.disconnect()
    const third = await scene.come(gateway, true)
    assert.deepEqual(await third.untilPong(), [])
    assert.deepEqual(await scene.records(gateway), [])
  })

  it('stay connected while the link to their queue is lost, and send nothing twice', async () => {
    const links = new QueueLinks()
    const gateway = await scene.start({ wrap: links.wrap })
    const client = await scene.subscribed(gateway)
    await links.opened(1)
    await scene.send(gateway, '1', '2', '3')
    const sent = await take(client, 3)
    links.refusal = new AmqpError('amqp:resource-locked', 'as the test wants')
    links.lose()
    await links.refused(2)
    // while the link is away
    client.send(puback(sent[0]?.packetId ?? 0))
    await scene.send(gateway, '4')
    assert.deepEqual(await client.untilPong(), [])
    links.refusal = undefined
    await links.opened(2)
    const four = await client.nextPublish()
    assert.deepEqual([four.payload, four.dup], ['4', false])
    client.send(puback(sent[1]?.packetId ?? 0))
    assert.deepEqual(await client.untilPong(), [])
    await client.disconnect()
    const later = await scene.come(gateway, true)
    assert.deepEqual(await take(later, 2), again([...sent.slice(2), four]))
  })

  it('end their connection when somebody else has had the session meanwhile, though no order reached them', async () => {
    const links = new QueueLinks()
    const mqtt = takeoverTimeout(50)
    const wrap = (space: AddressSpace): AddressSpace => deafTo(links.wrap(space), 'disconnect')
    const gateway = await scene.start({ wrap, mqtt })
    const client = await scene.subscribed(gateway)
    await links.opened(1)
    links.refusal = new AmqpError('amqp:connection:forced', 'as the test wants')
    links.lose()
    await links.refused(1)
    const amqp = await gateway.space.connect('service')
    const other = new ServiceClient(amqp, 'x', 'other')
    await other.attachControl()
    assert.equal(await other.list(), 'accepted')
    links.refusal = undefined
    assert.deepEqual(await client.untilClosed(), [])
    assert.equal(gateway.metric('mqtt_disconnects_total', { reason: 'sessionTakenOver' }), 1)
    await amqp.close()
  })

  it('are refused with return code 3 where the service does not reply, and say why where the queue is taken', async () => {
    const mqtt = mqttOptions({ services: { timeoutMs: 50, takeoverTimeoutMs: 20 } })
    const links = new QueueLinks()
    const gateway = await scene.start({ mqtt, wrap: links.wrap })
    links.refusal = new AmqpError('amqp:resource-locked', 'as the test wants')
    const client = await scene.come(gateway, false)
    assert.deepEqual(await client.untilClosed(), [])
    const [ended] = gateway.lines.filter(({ message }) => message === 'a client was disconnected')
    assert.equal(ended?.fields['code'], 'serverUnavailable')
    assert.match(String(ended?.fields['detail']), /another receiver has the queue/)
    const deaf = await scene.start({ mqtt, wrap: space => deafTo(space, 'subscriptions') })
    const refused = await deaf.openWith(connect({ clientId: 'y', clean: false }))
    assert.deepEqual(await refused.untilClosed(), [{ cmd: 'connack', sessionPresent: false, returnCode: 3 }])
  })

  it('go on with new packet ids where the record of the former connection is damaged, and say so', async () => {
    const gateway = await scene.start()
    const first = await scene.subscribed(gateway)
    await scene.send(gateway, '1')
    await take(first, 1)
    await first.disconnect()
    const witness = await gateway.connect('witness')
    let key: string | undefined
    while (key === undefined) {
      await witness.untilPong()
      key = (await scene.records(gateway))[0]
    }
    const store = await gateway.space.store(IN_FLIGHT_STORE)
    await store.put(key, { ...encodeInFlight([]), body: { type: 'none' } })
    const second = await scene.come(gateway, true)
    const [packet] = await take(second, 1)
    assert.deepEqual([packet?.payload, packet?.dup], ['1', true])
    assert.deepEqual(
      gateway.take('error').map(({ message }) => message),
      ['an in-flight record cannot be read and is removed']
    )
    assert.deepEqual(await scene.records(gateway), [])
  })

  it('are announced again to a new service, and go on', async () => {
    const service = await scene.start({ roles: ['subscription'] })
    const gateway = await scene.start()
    const client = await scene.subscribed(gateway)
    await service.hooks.addressSpaceRemoved('default')
    await service.hooks.addressSpaceAdded(changedSpace(service.space, { mqtt: mqttOptions() }))
    assert.deepEqual(await client.subscribe(['u', 1]), [1])
    await scene.send(gateway, '1')
    assert.equal((await client.nextPublish()).payload, '1')
    assert.deepEqual(await client.untilPong(), [])
  })

  it('drop what came with QoS 0 while their client was away, where it is configured so, and count it', async () => {
    const gateway = await scene.start({ mqtt: mqttOptions({ sessions: { queueQos0: false } }) })
    await (await scene.subscribed(gateway)).disconnect()
    const amqp = await gateway.space.connect('service')
    const sender = await amqp.openSender({ address: QUEUE })
    // of a gateway that was killed before it came back to it
    sender.send(encodeAwayMark(QUEUE, 'killed'))
    const copy = {
      topic: 't/x',
      payload: Buffer.from('retained 0'),
      qos: 0,
      retain: true,
      dup: false
    } as const
    sender.send(encodePublication({ ...copy, retained: true }))
    const publisher = await gateway.connect('publisher')
    publisher.send(publish('t/x', 'away 0'))
    await publisher.publish('t/x', 'away 1')
    publisher.send(publish('t/x', 'away 0 too'))
    await publisher.untilPong()
    const client = await scene.come(gateway, true)
    assert.deepEqual(
      (await take(client, 2)).map(({ payload }) => payload),
      ['retained 0', 'away 1']
    )
    while (gateway.metric('mqtt_publications_dropped_total', { qos: '0' }) < 2) await publisher.untilPong()
    publisher.send(publish('t/x', 'live 0'))
    assert.equal((await client.nextPublish()).payload, 'live 0')
    assert.equal(gateway.metric('mqtt_publications_dropped_total', { qos: '0' }), 2)
    await client.disconnect()
    await amqp.close()
  })

  it('give back what they had where it cannot be written down, and warn', async () => {
    const gateway = await scene.start({
      wrap: space =>
        changedSpace(space, {
          store: async name => {
            const store = await space.store(name)
            if (name !== IN_FLIGHT_STORE) return store
            const put = (): Promise<void> =>
              Promise.reject(new AmqpError('amqp:internal-error', 'as the test wants'))
            return {
              put,
              get: key => store.get(key),
              delete: key => store.delete(key),
              entries: prefix => store.entries(prefix)
            }
          }
        })
    })
    const first = await scene.subscribed(gateway)
    await scene.send(gateway, '1')
    await take(first, 1)
    const second = await scene.come(gateway, true)
    assert.deepEqual(
      (await take(second, 1)).map(({ payload, dup }) => [payload, dup]),
      [['1', true]]
    )
    assert.deepEqual(
      gateway.take('warn').map(({ message }) => message),
      ['what a client had in flight could not be written down']
    )
  })

  it('are kept for a client whose CONNECT was not clean, and go with one that is', async () => {
    const [a, b] = [await scene.start(), await scene.start()]
    const first = await scene.subscribed(a)
    await scene.send(a, '1')
    await take(first, 1)
    const clean = await b.connect('x')
    assert.deepEqual(await first.untilClosed(), [])
    assert.deepEqual(await clean.untilPong(), [])
    assert.deepEqual(await a.space.queues.list(QUEUE), [])
    assert.deepEqual(await a.space.routes.list(QUEUE), [])
    assert.deepEqual(await scene.records(a), [])
    await clean.disconnect()
    assert.deepEqual(await (await scene.come(a, false)).untilPong(), [])
  })
})
