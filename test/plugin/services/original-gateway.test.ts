// Our Subscription Service with the original's gateway, of which a double is made from the protocol's text.

import assert from 'node:assert/strict'
import { DAMAGED_STORE, DamagedRecords } from '../../../plugin/services/damaged-records.js'
import { SUBSCRIPTION_STORE, SubscriptionRecords } from '../../../plugin/services/subscription-records.js'
import { mqttOptions, RunningGateway } from '../../fixtures/gateway.js'
import { connect, puback } from '../../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../../fixtures/mqtt-socket.js'
import { OriginalClient } from '../../fixtures/original-gateway.js'
import { ServiceClient } from '../../fixtures/service-client.js'

const IDS = ['plain-id', 'a/b', 'two words', '100%', 'a.b', 'ü', 'to', '%41']

describe('a Subscription Service with original gateways', () => {
  let ours: RunningGateway
  const gone: OriginalClient[] = []

  async function start(peer = 'original'): Promise<void> {
    const services = { peer, timeoutMs: 1000, takeoverTimeoutMs: 200 }
    ours = await RunningGateway.start({ mqtt: mqttOptions({ services }) })
  }

  afterEach(async () => {
    for (const client of gone.splice(0)) await client.disconnect()
    await ours.stop()
  })

  async function original(
    clientId: string,
    options: Parameters<typeof OriginalClient.connect>[2] = {}
  ): Promise<OriginalClient> {
    const client = await OriginalClient.connect(ours.space, clientId, options)
    gone.push(client)
    return client
  }

  async function mqtt(clientId: string, sessionPresent: boolean): Promise<MqttSocket> {
    const client = await ours.openWith(connect({ clientId, clean: false }))
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent, returnCode: 0 })
    return client
  }

  async function send(...payloads: readonly string[]): Promise<void> {
    const publisher = await ours.connect('publisher')
    for (const payload of payloads) await publisher.publish('t/x', payload)
    await publisher.disconnect()
  }

  const routesTo = async (queue: string): Promise<string[]> =>
    (await ours.space.routes.list(queue)).map(({ filter }) => filter).sort()

  /** Those of our gateway's publisher aside. */
  const queues = async (): Promise<string[]> =>
    (await ours.space.queues.list('$mqtt.to.')).filter(name => !name.includes('publisher'))

  for (const clientId of IDS) {
    it(`keeps the session of client ${JSON.stringify(clientId)} under its id as it is`, async () => {
      await start()
      const first = await original(clientId)
      assert.deepEqual(await first.listed(), {})
      assert.equal(await first.subscribe({ 't/#': '1', u: '0' }), 'accepted')
      await send('live')
      assert.deepEqual(await first.next(), { topic: 't/x', payload: 'live', qos: 1 })
      await first.disconnect()
      await send('away')
      const back = await original(clientId, { service: '$mqtt.subscriptionservice' })
      assert.deepEqual(await back.listed(), { 't/#': '1', u: '0' })
      assert.equal((await back.next()).payload, 'away')
      assert.equal(await back.unsubscribe('t/#'), 'accepted')
      assert.deepEqual(await routesTo(back.queue), ['u'])
      assert.deepEqual(await queues(), [back.queue])
    })
  }

  it('brings what an original gateway publishes to MQTT clients of ours', async () => {
    await start()
    const subscriber = await ours.connect('subscriber')
    assert.deepEqual(await subscriber.subscribe(['t/#', 1]), [1])
    const publisher = await original('p')
    await publisher.publish('t/x', 'zero', 0)
    await publisher.publish('t/x', 'one', 1)
    for (const [payload, qos] of [
      ['zero', 0],
      ['one', 1]
    ] as const) {
      const packet = await subscriber.nextPublish()
      assert.deepEqual([packet.payload, packet.qos], [payload, qos])
    }
  })

  it('copies retained messages into the queue of its client', async () => {
    await start()
    const publisher = await ours.connect('publisher')
    await publisher.publish('t/x', 'kept', { retain: true })
    const client = await original('a b')
    assert.equal(await client.subscribe({ 't/#': '1' }), 'accepted')
    assert.equal((await client.next()).payload, 'kept')
  })

  it('has a queue for a clean session, and removes what was there before', async () => {
    await start()
    const durable = await original('a/b')
    await durable.subscribe({ 't/#': '1' })
    await durable.disconnect()
    await send('for nobody')
    const clean = await original('a/b', { clean: true })
    assert.deepEqual(await routesTo(clean.queue), [])
    assert.equal(await clean.subscribe({ 't/x': '1' }), 'accepted')
    await send('live')
    assert.equal((await clean.next()).payload, 'live')
    await clean.disconnect()
    // nothing of a clean session goes on
    const next = await original('a/b')
    assert.deepEqual(await next.listed(), {})
    assert.deepEqual(await routesTo(next.queue), [])
  })

  it('writes down which sessions are clean ones, which end when nobody receives from their queue', async () => {
    await start()
    for (const clean of [true, false]) {
      const client = await original('a/b', { clean })
      await client.subscribe({ t: '1' })
      const store = await ours.space.store(SUBSCRIPTION_STORE)
      const damaged = new DamagedRecords(await ours.space.store(DAMAGED_STORE), ours.host.log)
      const record = (await new SubscriptionRecords(store, damaged).load()).get('a/b')
      assert.deepEqual(
        [record?.holder.clean, [...(record?.filters.keys() ?? [])]],
        [clean || undefined, ['t']]
      )
      await client.disconnect()
    }
  })

  it('gives a session to the original gateway that asks last, though the former one ignores that', async () => {
    await start()
    const first = await original('a/b')
    await first.subscribe({ 't/#': '1' })
    const second = await original('a/b')
    assert.equal(await first.isExpelled(), 'amqp:resource-deleted')
    assert.equal(second.expelled, undefined)
    await send('for the second')
    assert.equal((await second.next()).payload, 'for the second')
  })

  it('gives a session of an original gateway to ours, though the former one still reads its control address', async () => {
    await start()
    const held = await original('a/b')
    await held.subscribe({ 't/#': '1' })
    for (const payload of ['first', 'second']) {
      const taking = await mqtt('a/b', true)
      assert.equal(await held.isExpelled(), 'amqp:resource-deleted')
      await send(payload)
      const packet = await taking.nextPublish()
      assert.equal(packet.payload, payload)
      taking.send(puback(packet.packetId ?? 0))
      assert.deepEqual(await taking.untilPong(), [])
      await taking.disconnect()
    }
  })

  it('loses nothing of a session that goes from one to the other and back while messages come', async () => {
    await start()
    const [seen, publisher] = [new Set<string>(), await ours.connect('publisher')]
    const sent: string[] = []
    const publish = async (): Promise<void> => {
      const payload = `m${sent.length}`
      sent.push(payload)
      await publisher.publish('t/x', payload)
    }
    const first = await mqtt('a/b', false)
    await first.subscribe(['t/#', 1])
    for (let round = 0; round < 10; round += 1) {
      const publishing = (async () => {
        for (let i = 0; i < 20; i += 1) await publish()
      })()
      const there = await original('a/b')
      seen.add((await there.next()).payload)
      const here = await mqtt('a/b', true)
      const packet = await here.nextPublish()
      here.send(puback(packet.packetId ?? 0))
      seen.add(packet.payload)
      await publishing
      // what the original has had by now, it has accepted
      for (const { payload } of there.untaken) seen.add(payload)
      await there.disconnect()
      // what it was sent and does not acknowledge comes to the next one
      await here.untilPong()
    }
    const last = await original('a/b')
    await publish()
    while (!seen.has(`m${sent.length - 1}`)) seen.add((await last.next()).payload)
    assert.deepEqual(
      sent.filter(payload => !seen.has(payload)),
      []
    )
  })

  it('ends the connection of a gateway of ours that has names for them, and tells it so', async () => {
    await start()
    const named = new ServiceClient(await ours.space.connect('service'), 'x', 'c1')
    named.obeys = true
    await named.attachControl()
    assert.equal(await named.list(), 'accepted')
    assert.equal(await named.subscribe('t/#'), 'accepted')
    const client = await original('x')
    assert.deepEqual(await client.listed(), { 't/#': '1' })
    assert.equal((await named.at(1)).properties.subject, 'disconnect')
    assert.equal(await named.subscribe('late'), 'amqp:not-allowed')
    await named.end()
  })

  it('gives a session of our gateway to an original one, and its client is closed', async () => {
    await start()
    const ofOurs = await mqtt('a/b', false)
    assert.deepEqual(await ofOurs.subscribe(['t/#', 1]), [1])
    const ofOriginal = await original('a/b')
    assert.deepEqual(await ofOriginal.listed(), { 't/#': '1' })
    assert.deepEqual(await ofOurs.untilClosed(), [])
    await send('for the original')
    assert.equal((await ofOriginal.next()).payload, 'for the original')
    // and back, with what was not acknowledged by then
    await ofOriginal.disconnect()
    await send('between')
    const back = await mqtt('a/b', true)
    const { payload, packetId } = await back.nextPublish()
    assert.equal(payload, 'between')
    back.send(puback(packetId ?? 0))
  })

  it('serves ids that need no encoding without being told of originals, and refuses all others', async () => {
    await start('ours')
    const plain = await original('plain-id')
    assert.equal(await plain.subscribe({ 't/#': '1' }), 'accepted')
    await send('live')
    assert.equal((await plain.next()).payload, 'live')
    for (const clientId of ['a/b', 'two words', 'to', '%41'])
      await assert.rejects(original(clientId), /amqp:decode-error/, clientId)
    const encoded = await mqtt('a/b', false)
    assert.deepEqual(await encoded.subscribe(['t/#', 1]), [1])
    assert.deepEqual((await queues()).sort(), ['$mqtt.to.a%2Fb.publish', plain.queue])
  })

  it('refuses ids that would be read as another address', async () => {
    await start()
    const connection = await ours.space.connect('service')
    const sender = await connection.openSender({ address: '$subctrl' })
    for (const id of ['a%2Fb', '#', 'a::b', '']) {
      const outcome = await new Promise<{ readonly type: string; readonly condition?: string }>(resolve =>
        sender.send(
          {
            ...{ durable: false, deliveryCount: 0, annotations: new Map(), applicationProperties: new Map() },
            properties: { subject: 'close', correlationId: `$mqtt.to.${id}.publish` },
            body: { type: 'none' }
          },
          resolve
        )
      )
      assert.equal(outcome.condition, 'amqp:decode-error', id)
    }
    await connection.close()
  })
})
