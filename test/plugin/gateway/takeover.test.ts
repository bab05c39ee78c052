// One client id, one connection: the newer one has it, and nothing of the older one is left.

import assert from 'node:assert/strict'
import type { Outcome } from '../../../plugin/host.js'
import { publishAddress, SUBSCRIPTION_SERVICE_ADDRESSES } from '../../../plugin/messages/addresses.js'
import { encodeRequest, type SubscriptionRequest } from '../../../plugin/messages/requests.js'
import { Outbox } from '../../../plugin/outbox.js'
import { changedSpace, RunningGateway, type GatewayOptions } from '../../fixtures/gateway.js'
import { HeldPublications } from '../../fixtures/held-publications.js'
import { connect, publish, subscribe } from '../../fixtures/mqtt-bytes.js'

describe('takeover of a client id', () => {
  let gateway: RunningGateway

  async function start(options: GatewayOptions = {}): Promise<void> {
    gateway = await RunningGateway.start(options)
  }

  afterEach(() => gateway.stop())

  /** A request of an AMQP client to the Subscription Service, which takes it. */
  async function ask(request: SubscriptionRequest): Promise<void> {
    const connection = await gateway.space.connect('service')
    const outbox = new Outbox(connection, SUBSCRIPTION_SERVICE_ADDRESSES[0])
    assert.deepEqual(await outbox.send(encodeRequest(request), 1000), { type: 'accepted' })
    await outbox.close()
    await connection.close()
  }

  it('ends the older connection with its subscriptions, and doubles no message [MQTT3-3.1.4-2]', async () => {
    await start()
    const first = await gateway.connect('same')
    await first.subscribe(['old', 1], ['both', 1])
    const second = await gateway.connect('same')
    assert.deepEqual(await first.untilClosed(), [])
    await second.subscribe(['new', 1], ['both', 1])
    const publisher = await gateway.connect('publisher')
    for (const topic of ['old', 'both', 'new']) await publisher.publish(topic, topic)
    assert.equal((await second.nextPublish()).topic, 'both')
    assert.equal((await second.nextPublish()).topic, 'new')
    assert.deepEqual(await second.untilPong(), [])
    assert.equal(gateway.metric('mqtt_clients'), 2)
    assert.equal(gateway.metric('mqtt_inbox_sources'), 2)
    assert.equal(gateway.metric('mqtt_disconnects_total', { reason: 'sessionTakenOver' }), 1)
  })

  it('leaves exactly one of 50 that connect at once [MQTT3-3.1.4-2] [MQTT3-3.2.2-6]', async () => {
    await start()
    const clients = await Promise.all(Array.from({ length: 50 }, () => gateway.open()))
    for (const client of clients) client.send(connect({ clientId: 'same' }))
    // whoever is closed says so; the one that is not answers for itself
    let left = [...clients]
    for (const client of clients)
      void client.untilClosed().then(
        () => (left = left.filter(each => each !== client)),
        () => undefined
      )
    const witness = await gateway.connect('witness')
    while (left.length > 1) await witness.untilPong()
    const [last] = left
    assert.ok(last)
    assert.deepEqual(await last.next(), { cmd: 'connack', sessionPresent: false, returnCode: 0 })
    assert.deepEqual(await last.untilPong(), [])
    await witness.disconnect()
    while (gateway.metric('mqtt_connections') > 1) await last.untilPong()
    assert.equal(gateway.metric('mqtt_clients'), 1)
    assert.equal(gateway.metric('mqtt_connections'), 1)
  })

  it('does not wait for publications of the older one that the host has not answered', async () => {
    const host = new HeldPublications()
    await start({ wrap: host.wrap })
    const first = await gateway.connect('same')
    first.send(publish('t', 'on its way', { packetId: 1 }))
    await host.at(0)
    const second = await gateway.connect('same')
    assert.deepEqual(await first.untilClosed(), [])
    await second.subscribe(['t', 1])
    assert.deepEqual(await second.untilPong(), [])
  })

  it('lets a client that subscribes while it is taken over leave nothing behind', async () => {
    await start()
    for (let round = 0; round < 10; round++) {
      const former = await gateway.connect('same')
      former.send(...Array.from({ length: 20 }, (_, index) => subscribe(index + 1, [`${round}/${index}`, 1])))
      await gateway.connect('same')
      await former.untilClosed()
    }
    const last = await gateway.connect('same')
    assert.deepEqual(await last.untilPong(), [])
    assert.equal(gateway.metric('mqtt_inbox_sources'), 0)
    assert.equal(gateway.metric('mqtt_connections'), 1)
  })

  it('leaves nothing at the service of a client that went while its SUBSCRIBE was handled', async () => {
    let open: (() => void) | undefined
    await start({
      wrap: space =>
        changedSpace(space, {
          source: async (filter, options) => {
            await new Promise<void>(resolve => (open = resolve))
            return space.source(filter, options)
          }
        })
    })
    const witness = await gateway.connect('witness')
    const client = await gateway.connect('gone')
    client.send(subscribe(1, ['late', 1]))
    while (open === undefined) await witness.untilPong()
    await client.disconnect()
    while (gateway.metric('mqtt_connections') > 1) await witness.untilPong()
    open()
    await witness.untilPong()
    // one request of a client is answered after the other: this one after whatever that SUBSCRIBE led to
    await ask({ type: 'unsubscribe', clientId: 'gone', filters: ['other'] })
    assert.equal(gateway.metric('mqtt_durable_sessions'), 0)
    assert.deepEqual(await gateway.space.queues.list('$mqtt.to.'), [])
    assert.equal(gateway.metric('mqtt_inbox_sources'), 0)
  })

  it('leaves nothing at the service of a client that went while its CONNECT was handled', async () => {
    let answer: (() => void) | undefined
    await start({
      wrap: space =>
        changedSpace(space, {
          authenticate: async credentials => {
            if (answer === undefined && credentials.mechanism === 'PLAIN')
              await new Promise<void>(resolve => (answer = resolve))
            return space.authenticate(credentials)
          }
        }),
      users: [{ name: 'slow', password: 'secret' }],
      anonymous: true
    })
    const witness = await gateway.connect('witness')
    const client = await gateway.openWith(connect({ clientId: 'gone', username: 'slow', password: 'secret' }))
    while (answer === undefined) await witness.untilPong()
    client.reset()
    while (gateway.metric('mqtt_disconnects_total') === 0) await witness.untilPong()
    answer()
    while (gateway.metric('mqtt_connections') > 1) await witness.untilPong()
    await assertNothingLeft('gone')
  })

  it('leaves nothing at the service of a client that went before the service answered its CONNECT', async () => {
    let answer: (() => void) | undefined
    await start({
      wrap: space =>
        changedSpace(space, {
          serve: (address, onLink) =>
            space.serve(address, link =>
              onLink({
                ...{ name: link.name, address: link.address, user: link.user },
                close: error => link.close(error),
                accept: handlers =>
                  link.accept({
                    ...handlers,
                    onDelivery: delivery => {
                      const { message, id, deliveryCount } = delivery
                      if (answer !== undefined || message.properties.correlationId !== publishAddress('gone'))
                        return handlers.onDelivery(delivery)
                      const settle = (outcome: Outcome): void =>
                        void (answer = () => delivery.settle(outcome))
                      handlers.onDelivery({ message, id, deliveryCount, settle })
                    }
                  })
              })
            )
        })
    })
    const witness = await gateway.connect('witness')
    const client = await gateway.openWith(connect({ clientId: 'gone' }))
    while (answer === undefined) await witness.untilPong()
    client.reset()
    while (gateway.metric('mqtt_disconnects_total') === 0) await witness.untilPong()
    answer()
    while (gateway.metric('mqtt_connections') > 1) await witness.untilPong()
    await assertNothingLeft('gone')
  })

  /** A pure AMQP client that subscribes under this id gets a durable session, with a queue and a route. */
  async function assertNothingLeft(clientId: string): Promise<void> {
    await ask({
      type: 'subscribe',
      clientId,
      filters: new Map([['durable', 1]]),
      delivery: 'queue',
      partial: false
    })
    const queue = publishAddress(clientId)
    assert.deepEqual(await gateway.space.routes.list(queue), [{ filter: 'durable', queue }])
  }
})
