// Retained messages where the Subscription Service is in another process than the broker.

import assert from 'node:assert/strict'
import { listenAmqp, type AmqpListener } from '../../../adapters/rhea/listener/listener.js'
import { openRemoteSpace, type RemoteSpace } from '../../../adapters/remote/index.js'
import type { AddressSpace, AmqpConnection, Sender } from '../../../plugin/host.js'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { encodePublication } from '../../../plugin/messages/publish.js'
import { isReplayed } from '../../../plugin/messages/replay.js'
import { LOG } from '../../contract/embedded.js'
import { changedSpace, mqttOptions, RunningGateway } from '../../fixtures/gateway.js'
import { ReceivedPublications } from '../../fixtures/publications-of-a-queue.js'
import { ServiceClient } from '../../fixtures/service-client.js'
import { Bench } from '../embedded/broker-fixture.js'

const SERVICE = { name: 'plugin', password: 'plugin secret' }
const TOPICS = 1000

describe('retained messages of a service in another process', () => {
  let bench: Bench
  let listener: AmqpListener
  let remote: RemoteSpace
  let service: RunningGateway
  let amqp: AmqpConnection
  let sender: Sender

  beforeEach(async () => {
    bench = await Bench.open({ service: SERVICE })
    listener = await listenAmqp(bench.space, { host: '127.0.0.1', port: 0, log: LOG })
    const { host, port } = listener
    remote = await openRemoteSpace({ host, port, service: SERVICE, mqtt: {}, log: LOG, maxSessions: 8 })
    const wrap = (): AddressSpace => changedSpace(remote, { mqtt: mqttOptions() })
    service = await RunningGateway.start({ on: bench.space, wrap, roles: ['subscription'] })
    amqp = await bench.space.connect('service')
    sender = await amqp.openSender({ address: undefined })
  })
  afterEach(async () => {
    await service.stop()
    await remote.close()
    await listener.close()
    await bench.close()
  })

  const retain = (topic: string): Promise<unknown> =>
    new Promise(resolve => {
      const publication = { topic, payload: Buffer.from('1'), qos: 1, retain: true, dup: false } as const
      sender.send(encodePublication(publication), resolve)
    })

  it('come whole into a queue, and to a receiver with a small window, and one for its address', async () => {
    const topics = Array.from({ length: TOPICS }, (_, index) => `t/${index}`)
    for (let i = 0; i < TOPICS; i += 500) await Promise.all(topics.slice(i, i + 500).map(retain))
    const client = new ServiceClient(amqp, 'x', undefined)
    assert.equal(await client.subscribe('t/+'), 'accepted')
    const queue = await ReceivedPublications.attach(amqp, publishAddress('x'))
    await queue.count(TOPICS)
    assert.equal(new Set(queue.texts).size, TOPICS)
    const slow = await ReceivedPublications.attach(amqp, undefined, 20)
    const request = { type: 'subscribe', clientId: 'x', delivery: 'queue', partial: false } as const
    const filters = new Map([['#', 1 as const]])
    assert.equal(await client.request({ ...request, filters, replayTo: slow.address }), 'accepted')
    await slow.count(TOPICS + 1)
    const last = slow.deliveries.at(-1)
    assert.ok(last !== undefined && isReplayed(last.message))
    const one = await ReceivedPublications.attach(amqp, '$retain.t/7', 1)
    await one.count(1)
    assert.deepEqual(one.texts, ['t/7=1 retained'])
  })
})
