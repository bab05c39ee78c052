// The gateway and its Subscription Service: what clients are told when the service is not there, or does not answer.

import assert from 'node:assert/strict'
import { AmqpError } from '../../../plugin/errors.js'
import type { AddressSpace, Delivery, ServedLink } from '../../../plugin/host.js'
import { SUBSCRIPTION_SERVICE_ADDRESSES } from '../../../plugin/messages/addresses.js'
import { encodeRequest } from '../../../plugin/messages/requests.js'
import { Outbox } from '../../../plugin/outbox.js'
import { changedSpace, mqttOptions, RunningGateway } from '../../fixtures/gateway.js'
import { connect, publish, subscribe, unsubscribe } from '../../fixtures/mqtt-bytes.js'

const REFUSED = [{ cmd: 'connack', sessionPresent: false, returnCode: 3 }]
const QUICK = mqttOptions({ services: { timeoutMs: 50 } })

describe('the gateway and its Subscription Service', () => {
  let gateway: RunningGateway

  afterEach(() => gateway.stop())

  async function start(serve: AddressSpace['serve']): Promise<void> {
    const wrap = (space: AddressSpace): AddressSpace => changedSpace(space, { serve })
    gateway = await RunningGateway.start({ mqtt: QUICK, wrap })
  }

  /** A gateway whose service takes what `takes` says, as the real one does; for all else its links are as they are. */
  async function startWith(takes: (subject: string, delivery: Delivery) => boolean): Promise<void> {
    const wrap = (space: AddressSpace): AddressSpace =>
      changedSpace(space, {
        serve: (address, onLink) =>
          space.serve(address, link => {
            const filtered: ServedLink = {
              name: link.name,
              address: link.address,
              user: link.user,
              close: error => link.close(error),
              accept: handlers =>
                link.accept({
                  ...handlers,
                  onDelivery: delivery => {
                    const { subject = '' } = delivery.message.properties
                    if (takes(subject, delivery)) handlers.onDelivery(delivery)
                  }
                })
            }
            onLink(filtered)
          })
      })
    gateway = await RunningGateway.start({ mqtt: QUICK, wrap })
  }

  it('refuses with 3 where nobody serves the address', async () => {
    await start(() => Promise.resolve({ close: () => Promise.resolve() }))
    for (let tries = 0; tries < 2; tries++) {
      const client = await gateway.openWith(connect())
      assert.deepEqual(await client.untilClosed(), REFUSED)
    }
    const [warned] = gateway.take('warn')
    assert.equal(warned?.fields['code'], 'serverUnavailable')
    assert.match(String(warned?.fields['detail']), /amqp:not-found/)
  })

  it('refuses with 3 where the service does not answer in time, and lets the next one in', async () => {
    let silent = true
    await startWith(() => !silent)
    const client = await gateway.openWith(connect({ clientId: 'same' }), publish('a', 'ghost'))
    assert.deepEqual(await client.untilClosed(), REFUSED)
    assert.match(String(gateway.take('warn')[0]?.fields['detail']), /no answer in time/)
    silent = false
    const next = await gateway.connect('same')
    assert.deepEqual(await next.untilPong(), [])
  })

  it('refuses with 3 where the service says no', async () => {
    await startWith((subject, delivery) => {
      if (subject === 'close')
        delivery.settle({ type: 'rejected', condition: 'amqp:not-allowed', description: 'as the test wants' })
      return subject !== 'close'
    })
    const client = await gateway.openWith(connect())
    assert.deepEqual(await client.untilClosed(), REFUSED)
    gateway.take('warn')
  })

  it('answers a SUBSCRIBE with 0x80 where the service does not, and delivers nothing [MQTT3-3.8.4-5]', async () => {
    await startWith(subject => subject !== 'subscribe')
    const client = await gateway.connect('subscriber')
    assert.deepEqual(await client.subscribe(['a', 1], ['b', 0]), [0x80, 0x80])
    client.send(publish('a', 'ghost'), publish('b', 'ghost'))
    assert.deepEqual(await client.untilPong(), [])
    assert.equal(gateway.metric('mqtt_inbox_sources'), 0)
  })

  for (const [answer, how] of [
    [undefined, 'does not answer'],
    [{ type: 'rejected', condition: 'amqp:not-allowed', description: 'as the test wants' }, 'says no']
  ] as const) {
    it(`keeps a subscription as it was where the service ${how} when it comes again [MQTT3-3.8.4-5]`, async () => {
      let refuses = false
      await startWith((subject, delivery) => {
        if (!refuses || subject !== 'subscribe') return true
        if (answer !== undefined) delivery.settle(answer)
        return false
      })
      const client = await gateway.connect('subscriber')
      assert.deepEqual(await client.subscribe(['raised', 0], ['lowered', 1]), [0, 1])
      refuses = true
      const codes = await client.subscribe(['raised', 1], ['lowered', 0], ['new', 1])
      assert.deepEqual(codes, [0x80, 0x80, 0x80])
      gateway.take('warn')
      const publisher = await gateway.connect('publisher')
      for (const topic of ['new', 'raised', 'lowered']) await publisher.publish(topic, topic)
      const received = [await client.nextPublish(), await client.nextPublish()]
      assert.deepEqual(
        received.map(({ topic, qos }) => [topic, qos]),
        [
          ['raised', 0],
          ['lowered', 1]
        ]
      )
      refuses = false
      assert.deepEqual(await client.subscribe(['raised', 1], ['lowered', 0]), [1, 0])
      for (const topic of ['raised', 'lowered']) await publisher.publish(topic, topic)
      assert.equal((await client.nextPublish()).qos, 1)
      assert.equal((await client.nextPublish()).qos, 0)
    })
  }

  it('closes where the service does not take an UNSUBSCRIBE', async () => {
    await startWith(subject => subject !== 'unsubscribe')
    const client = await gateway.connect('subscriber')
    await client.subscribe(['a', 1])
    client.send(unsubscribe(9, 'a'))
    assert.deepEqual(await client.untilClosed(), [])
    assert.equal(gateway.take('warn').at(-1)?.fields['code'], 'unsubscribeRejected')
  })

  it('answers 0x80 where the host has no source, and keeps the other filters [MQTT3-3.8.4-5]', async () => {
    const wrap = (space: AddressSpace): AddressSpace =>
      changedSpace(space, {
        source: (filter, options) =>
          filter === 'bad'
            ? Promise.reject(new AmqpError('amqp:resource-limit-exceeded', 'as the test wants'))
            : space.source(filter, options)
      })
    gateway = await RunningGateway.start({ wrap })
    const client = await gateway.connect('subscriber')
    assert.deepEqual(await client.subscribe(['good', 1], ['bad', 1], ['fine', 0]), [1, 0x80, 0])
    client.send(publish('bad', 'ghost'), publish('good', 'x'))
    assert.equal((await client.nextPublish()).payload, 'x')
    assert.deepEqual(await client.subscribe(['bad', 0]), [0x80])
  })

  it('refuses the address of a queue, and filters over the limit of one client [MQTT3-3.8.4-5]', async () => {
    gateway = await RunningGateway.start({
      addresses: [{ name: 'work', type: 'queue' }],
      mqtt: mqttOptions({ limits: { filtersPerClient: 3 } })
    })
    const client = await gateway.connect('subscriber')
    assert.deepEqual(await client.subscribe(['work', 1], ['a', 1], ['b', 1]), [0x80, 1, 1])
    assert.deepEqual(await client.subscribe(['c', 1], ['d', 1], ['a', 0]), [1, 0x80, 0])
    await client.unsubscribe('a', 'b')
    assert.deepEqual(await client.subscribe(['d', 1]), [1])
    client.send(publish('d', 'x'))
    assert.equal((await client.nextPublish()).payload, 'x')
  })

  it('is told no where it subscribes for a session that has ended, and nothing is made', async () => {
    gateway = await RunningGateway.start()
    const connection = await gateway.space.connect('service')
    const outbox = new Outbox(connection, SUBSCRIPTION_SERVICE_ADDRESSES[0])
    const request = encodeRequest({
      type: 'subscribe',
      clientId: 'gone',
      connection: 'former',
      filters: new Map([['a', 1]]),
      delivery: 'inbox',
      partial: true
    })
    const outcome = await outbox.send(request, 1000)
    assert.ok(outcome.type === 'rejected')
    assert.equal(outcome.condition, 'amqp:not-allowed')
    assert.deepEqual(await gateway.space.queues.list('$mqtt.to.'), [])
    assert.equal(gateway.metric('mqtt_durable_sessions'), 0)
    await connection.close()
  })

  it('serves one client while another one waits for the service', async () => {
    const held: Delivery[] = []
    await startWith((subject, delivery) => {
      if (subject === 'subscribe' && held.length === 0) {
        held.push(delivery)
        return false
      }
      return true
    })
    const [waiting, other] = [await gateway.connect('waiting'), await gateway.connect('other')]
    waiting.send(subscribe(1, ['a', 1]))
    while (held.length === 0) assert.deepEqual(await other.untilPong(), [])
    assert.deepEqual(await other.subscribe(['a', 1]), [1])
    // the client that waits is served as well, but for what it waits for
    assert.deepEqual(await waiting.untilPong(), [])
    held[0]?.settle({ type: 'accepted' })
    assert.deepEqual(await waiting.next(), { cmd: 'suback', packetId: 1, codes: [1] })
  })

  it('tells clients with QoS 1 that their subscription lost messages by closing them', async () => {
    let lose: (() => void) | undefined
    const wrap = (space: AddressSpace): AddressSpace =>
      changedSpace(space, {
        source: (filter, options) => {
          lose ??= () => options.onClosed({ cause: 'lost' })
          return space.source(filter, options)
        }
      })
    gateway = await RunningGateway.start({ wrap })
    const [zero, one] = [await gateway.connect('zero'), await gateway.connect('one')]
    await zero.subscribe(['a', 0])
    await one.subscribe(['a', 1])
    lose?.()
    assert.deepEqual(await one.untilClosed(), [])
    assert.equal(gateway.take('warn').at(-1)?.fields['code'], 'sourceLost')
    assert.deepEqual(await zero.untilPong(), [])
  })
})
