// Retained messages at the Subscription Service: published with MQTT or AMQP, kept, replayed to AMQP clients.

import assert from 'node:assert/strict'
import type { AmqpConnection, Message } from '../../../plugin/host.js'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { encodePublication } from '../../../plugin/messages/publish.js'
import type { Qos } from '../../../plugin/mqtt/packets.js'
import { RunningGateway } from '../../fixtures/gateway.js'
import { ReceivedPublications } from '../../fixtures/publications-of-a-queue.js'
import { ServiceClient } from '../../fixtures/service-client.js'

const QUEUE = publishAddress('x')

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
})
