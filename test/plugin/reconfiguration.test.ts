// A configuration that changes while clients are connected: what it reaches, and that it drops nobody.
// A long file, since it has a test of each live option.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { AmqpError } from '../../plugin/errors.js'
import type { AddressSpace } from '../../plugin/host.js'
import { optionsOf, type Schema } from '../../scripts/configuration-page.js'
import { changedSpace, mqttOptions, RunningGateway } from '../fixtures/gateway.js'
import { HeldPublications, RELEASED } from '../fixtures/held-publications.js'
import { connect, PINGREQ, publish } from '../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../fixtures/mqtt-socket.js'
import { QueueLinks } from '../fixtures/queue-links.js'
import { ServiceClient } from '../fixtures/service-client.js'

const SCHEMA = JSON.parse(
  readFileSync(new URL('../../schemas/config.schema.json', import.meta.url), 'utf8')
) as Schema

const LIVE = optionsOf(SCHEMA).filter(({ schema }) => schema['x-live'] === true)
const CLIENTS = 100

/** A configuration with one option set; `path` as in the documentation. */
function withOption(path: string, value: unknown): object {
  const nested = path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value)
  return mqttOptions(nested as object)
}

describe('a changed configuration', () => {
  let gateway: RunningGateway
  let mqtt: unknown

  afterEach(() => gateway.stop())

  async function start(options: Parameters<typeof RunningGateway.start>[0] = {}): Promise<void> {
    gateway = await RunningGateway.start(options)
    mqtt = options.mqtt ?? mqttOptions()
  }

  async function change(next: object, addresses: AddressSpace['addresses'] = []): Promise<void> {
    mqtt = next
    await gateway.hooks.addressSpaceChanged(changedSpace(gateway.space, { mqtt, addresses }))
    assert.equal(gateway.status()?.state, 'ready', JSON.stringify(gateway.status()))
  }

  it(`drops none of ${CLIENTS} clients with any live option, and each client answers`, async () => {
    await start()
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, (_, index) => gateway.connect(`client-${index}`))
    )
    for (const client of clients) assert.deepEqual(await client.subscribe(['t', 1]), [1])
    const [publisher] = clients
    assert.ok(publisher)
    let round = 0
    const exchange = async (): Promise<void> => {
      round += 1
      publisher.send(publish('t', String(round)))
      const answers = await Promise.all(clients.map(client => client.nextPublish()))
      assert.deepEqual(new Set(answers.map(({ payload }) => payload)), new Set([String(round)]))
      assert.deepEqual((await Promise.all(clients.map(client => client.untilPong()))).flat(), [])
    }
    assert.ok(LIVE.length >= 10)
    for (const { path, schema } of LIVE) {
      const values =
        schema.type === 'boolean'
          ? [false, true]
          : [schema.minimum, schema.maximum ?? (schema.minimum ?? 0) + 1, schema.default]
      for (const value of values) {
        assert.notEqual(value, undefined, path)
        await change(withOption(path, value))
        await exchange()
      }
    }
    assert.equal(gateway.metric('mqtt_clients'), CLIENTS)
    assert.equal(gateway.metric('mqtt_connects_total'), CLIENTS)
    assert.equal(gateway.metric('mqtt_disconnects_total'), 0)
  })

  /** Each ends when the connected client feels the new value. */
  const acts: Readonly<Record<string, () => Promise<void>>> = {
    'limits.connectTimeoutMs': async () => {
      await start({ mqtt: withOption('limits.connectTimeoutMs', 3_600_000) })
      const silent = await gateway.open()
      await change(withOption('limits.connectTimeoutMs', 10))
      assert.deepEqual(await silent.untilClosed(), [])
    },
    'limits.packetBytes': async () => {
      await start()
      const client = await gateway.connect('client')
      await client.publish('t', 'x'.repeat(200))
      await change(withOption('limits.packetBytes', 128))
      client.send(publish('t', 'x'.repeat(200)))
      await closedWith('packetTooLarge', client)
    },
    'limits.connectPacketBytes': async () => {
      await start()
      const client = await gateway.open()
      await change(withOption('limits.connectPacketBytes', 128))
      client.send(connect({ clientId: 'x'.repeat(200) }))
      assert.deepEqual(await client.untilClosed(), [])
      assert.equal(gateway.metric('mqtt_disconnects_total', { reason: 'packetTooLarge' }), 1)
    },
    'limits.topicLevels': async () => {
      await start()
      const client = await gateway.connect('client')
      await client.publish('a/b')
      await change(withOption('limits.topicLevels', 1))
      assert.deepEqual(await client.subscribe(['a/b', 0]), [0x80])
      client.send(publish('a/b'))
      await closedWith('topicNameInvalid', client)
    },
    'limits.topicBytes': async () => {
      await start()
      const client = await gateway.connect('client')
      await client.publish('topic')
      await change(withOption('limits.topicBytes', 4))
      assert.deepEqual(await client.subscribe(['topic', 0]), [0x80])
      client.send(publish('topic'))
      await closedWith('topicNameInvalid', client)
    },
    'limits.filtersPerClient': async () => {
      await start()
      const client = await gateway.connect('client')
      assert.deepEqual(await client.subscribe(['a', 1], ['b', 1]), [1, 1])
      await change(withOption('limits.filtersPerClient', 1))
      assert.deepEqual(await client.subscribe(['c', 1]), [0x80])
      client.send(publish('b', 'stays'))
      assert.equal((await client.nextPublish()).payload, 'stays')
    },
    'limits.receiveMaximum': async () => {
      await start({ mqtt: withOption('limits.receiveMaximum', 1) })
      const client = await waiting(3)
      assert.equal((await client.nextPublish()).payload, '0')
      assert.deepEqual(await client.untilPong(), [])
      await change(withOption('limits.receiveMaximum', 3))
      assert.equal((await client.nextPublish()).payload, '1')
      assert.equal((await client.nextPublish()).payload, '2')
      // of a session with a queue it is the credit
      const durable = await gateway.connect('durable', { clean: false })
      await durable.subscribe(['t', 1])
      const publisher = await gateway.connect('publisher')
      for (let index = 0; index < 5; index++) await publisher.publish('t', String(index))
      assert.equal((await durable.take(3)).length, 3)
      assert.deepEqual(await durable.untilPong(), [])
      await change(withOption('limits.receiveMaximum', 5))
      assert.equal((await durable.take(2)).length, 2)
    },
    'limits.bufferedBytes': async () => {
      await start({ mqtt: mqttOptions({ limits: { receiveMaximum: 1 } }) })
      const client = await waiting(10)
      await client.nextPublish()
      assert.deepEqual(await client.untilPong(), [])
      await change(mqttOptions({ limits: { receiveMaximum: 1, bufferedBytes: 1024 } }))
      await (await gateway.connect('another')).publish('t', 'one more')
      await closedWith('slowConsumer', client)
    },
    'publish.retries': async () => {
      const host = new HeldPublications()
      await start({ mqtt: withOption('publish.retries', 1000), wrap: host.wrap })
      const client = await gateway.connect('client')
      client.send(publish('t', 'x', { packetId: 1 }))
      for (const index of [0, 1, 2]) (await host.at(index)).settle(RELEASED)
      const last = await host.at(3)
      await change(withOption('publish.retries', 2))
      last.settle(RELEASED)
      await closedWith('publishRejected', client)
    },
    'services.timeoutMs': async () => {
      await start({ mqtt: withOption('services.timeoutMs', 3_600_000), wrap: withoutSubscribe })
      const client = await gateway.connect('client')
      await change(withOption('services.timeoutMs', 50))
      assert.deepEqual(await client.subscribe(['t', 1]), [0x80])
    },
    'services.takeoverTimeoutMs': async () => {
      await start({ mqtt: withOption('services.takeoverTimeoutMs', 3_600_000) })
      const amqp = await gateway.space.connect('service')
      const [former, next] = ['former', 'next'].map(connection => new ServiceClient(amqp, 'x', connection))
      await former?.attachControl()
      await next?.attachControl()
      assert.equal(await former?.list(), 'accepted')
      await change(withOption('services.takeoverTimeoutMs', 50))
      // the former one does not answer
      assert.equal(await next?.list(), 'accepted')
    },
    'sessions.queueQos0': async () => {
      await start()
      const client = await gateway.connect('client', { clean: false })
      await client.subscribe(['t', 1])
      await client.disconnect()
      await waitingFor(['old', 'new'])
      await change(withOption('sessions.queueQos0', false))
      const again = await gateway.openWith(connect({ clientId: 'client', clean: false }))
      assert.equal((await again.next()).cmd, 'connack')
      const publisher = await gateway.connect('publisher')
      // what comes from now on is live
      while (gateway.metric('mqtt_publications_dropped_total', { qos: '0' }) < 2) await publisher.untilPong()
      publisher.send(publish('t', 'live'))
      assert.equal((await again.nextPublish()).payload, 'live')
    },
    'sessions.maxQueuedMessages': async () => {
      await start()
      const again = await dropping(withOption('sessions.maxQueuedMessages', 2), '', 1)
      assert.deepEqual(
        (await again.take(2)).map(packet => packet.cmd === 'publish' && packet.payload),
        ['1', '2']
      )
    },
    'sessions.maxQueuedBytes': async () => {
      await start()
      const again = await dropping(withOption('sessions.maxQueuedBytes', 1024), 'x'.repeat(2000), 3)
      assert.deepEqual(await again.untilPong(), [])
    },
    'sessions.abandonedAfterMs': async () => {
      await start()
      const client = await gateway.connect('client', { clean: false })
      const other = await gateway.connect('other', { clean: false })
      await client.disconnect()
      await change(withOption('sessions.abandonedAfterMs', 20))
      while (gateway.metric('mqtt_sessions_expired_total') < 1) await other.untilPong()
      assert.deepEqual(await gateway.space.queues.list('$mqtt.to.'), ['$mqtt.to.other.publish'])
      assert.equal(gateway.metric('mqtt_durable_sessions'), 1)
    },
    'host.outageGraceMs': async () => {
      const links = new QueueLinks()
      await start({ mqtt: withOption('host.outageGraceMs', 3_600_000), wrap: links.wrap })
      const client = await gateway.connect('client', { clean: false })
      await links.opened(1)
      links.refusal = new AmqpError('amqp:connection:forced', 'as the test wants')
      links.lose()
      await links.refused(1)
      assert.deepEqual(await client.untilPong(), [])
      await change(withOption('host.outageGraceMs', 0))
      await closedWith('serverUnavailable', client)
    },
    'limits.connections': async () => {
      await start()
      const client = await gateway.connect('client')
      const other = await gateway.connect('other')
      await change(withOption('limits.connections', 1))
      await assert.rejects(async () => (await gateway.openWith(connect())).next())
      assert.deepEqual([...(await client.untilPong()), ...(await other.untilPong())], [])
      await change(withOption('limits.connections', 3))
      await gateway.connect('third')
    }
  }

  /** A client whose session was away while three publications came after `next`, and `count` of them were dropped. */
  async function dropping(next: object, padding: string, count: number): Promise<MqttSocket> {
    const client = await gateway.connect('client', { clean: false })
    await client.subscribe(['t', 1])
    await client.disconnect()
    await change(next)
    const publisher = await gateway.connect('publisher')
    for (const payload of ['1', '2', '3']) await publisher.publish('t', payload + padding)
    while (gateway.metric('mqtt_session_messages_dropped_total') < count) await publisher.untilPong()
    const again = await gateway.openWith(connect({ clientId: 'client', clean: false }))
    assert.equal((await again.next()).cmd, 'connack')
    return again
  }

  for (const { path } of LIVE) {
    it(`acts on a connected client: ${path}`, async () => {
      const act = acts[path]
      assert.ok(act, 'a live option without a test of what it does')
      await act()
    })
  }

  it('is felt by a packet that begins after it, and not by one that began before', async () => {
    await start()
    const client = await gateway.connect('client')
    const large = publish('t', 'x'.repeat(200), { packetId: 7 })
    client.send(PINGREQ, large.subarray(0, 100))
    assert.deepEqual(await client.next(), { cmd: 'pingresp' }) // so what came with it has been read
    await change(withOption('limits.packetBytes', 128))
    client.send(large.subarray(100))
    assert.deepEqual(await client.next(), { cmd: 'puback', packetId: 7 })
    client.send(large)
    await closedWith('packetTooLarge', client)
  })

  it('names the addresses of the space as they are now', async () => {
    await start()
    const client = await gateway.connect('client')
    assert.deepEqual(await client.subscribe(['jobs', 1]), [1])
    await change(mqttOptions(), [{ name: 'jobs', type: 'queue' }])
    assert.deepEqual(await client.subscribe(['jobs', 1]), [0x80])
    assert.equal(gateway.metric('mqtt_disconnects_total'), 0)
  })

  /** A subscriber that acknowledges nothing, and `count` publications for it. */
  async function waiting(count: number): Promise<MqttSocket> {
    const client = await gateway.connect('client')
    await client.subscribe(['t', 1])
    const publisher = await gateway.connect('publisher')
    for (let index = 0; index < count; index++) await publisher.publish('t', String(index))
    await publisher.disconnect()
    return client
  }

  /** Publications with QoS 0. */
  async function waitingFor(payloads: readonly string[]): Promise<void> {
    const publisher = await gateway.connect('publisher')
    publisher.send(...payloads.map(payload => publish('t', payload)))
    await publisher.untilPong()
    await publisher.disconnect()
  }

  async function closedWith(reason: string, client: MqttSocket): Promise<void> {
    await client.untilClosed()
    assert.equal(gateway.metric('mqtt_disconnects_total', { reason }), 1)
  }
})

/** A space whose Subscription Service never sees a SUBSCRIBE. */
const withoutSubscribe = (space: AddressSpace): AddressSpace =>
  changedSpace(space, {
    serve: (address, onLink) =>
      space.serve(address, link =>
        onLink({
          name: link.name,
          address: link.address,
          user: link.user,
          close: error => link.close(error),
          accept: handlers =>
            link.accept({
              ...handlers,
              onDelivery: delivery => {
                if (delivery.message.properties.subject !== 'subscribe') handlers.onDelivery(delivery)
              }
            })
        })
      )
  })
