// Our gateway with the original's Subscription Service, of which a double is made from the protocol's text.

import assert from 'node:assert/strict'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { mqttOptions, RunningGateway } from '../../fixtures/gateway.js'
import { connect } from '../../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../../fixtures/mqtt-socket.js'
import { OriginalClient } from '../../fixtures/original-gateway.js'
import { OriginalSubscriptionService } from '../../fixtures/original-subscription-service.js'

const IDS = ['plain-id', 'a/b', 'two words', '100%', 'a.b', 'ü', 'to', '%41']

describe('a gateway with an original Subscription Service', () => {
  let gateway: RunningGateway
  let service: OriginalSubscriptionService

  beforeEach(async () => {
    const services = { peer: 'original', timeoutMs: 2000 }
    gateway = await RunningGateway.start({ roles: ['gateway'], mqtt: mqttOptions({ services }) })
    service = await OriginalSubscriptionService.open(gateway.space)
  })

  afterEach(async () => {
    await service.close()
    await gateway.stop()
  })

  async function come(clientId: string, sessionPresent: boolean, clean = false): Promise<MqttSocket> {
    const client = await gateway.openWith(connect({ clientId, clean }))
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent, returnCode: 0 })
    return client
  }

  async function send(...payloads: readonly string[]): Promise<void> {
    const publisher = await gateway.connect('publisher')
    for (const payload of payloads) await publisher.publish('t/x', payload)
    await publisher.disconnect()
  }

  async function receive(client: MqttSocket, ...payloads: readonly string[]): Promise<void> {
    for (const payload of payloads) assert.equal((await client.nextPublish()).payload, payload)
  }

  for (const clientId of IDS) {
    it(`serves a durable session of client ${JSON.stringify(clientId)}`, async () => {
      const client = await come(clientId, false)
      assert.deepEqual(await client.subscribe(['t/#', 1], ['u', 0]), [1, 0])
      assert.deepEqual(service.subscriptionsOf(clientId), { 't/#': '1', u: '0' })
      await send('live')
      const { packetId } = await client.nextPublish()
      assert.ok(packetId !== undefined)
      await client.disconnect()
      await send('away')
      const back = await come(clientId, true)
      const again = await back.nextPublish()
      assert.deepEqual([again.payload, again.dup, again.packetId], ['live', true, packetId])
      await receive(back, 'away')
      await back.unsubscribe('t/#')
      assert.deepEqual(service.subscriptionsOf(clientId), { u: '0' })
      assert.deepEqual([...service.unknown], [])
    })
  }

  it('says that a session is present where the reply has a subscription, and else not', async () => {
    await (await come('x', false)).disconnect()
    const client = await come('x', false)
    await client.subscribe(['t', 1])
    await client.disconnect()
    await (await come('x', true)).disconnect()
  })

  it('removes what was there for a clean session, and asks for nothing on behalf of it', async () => {
    const durable = await come('x', false)
    await durable.subscribe(['t/#', 1])
    await durable.disconnect()
    const clean = await come('x', false, true)
    assert.deepEqual(await clean.subscribe(['t/#', 1]), [1])
    assert.deepEqual(service.subscriptionsOf('x'), {})
    await send('live')
    await receive(clean, 'live')
    await clean.unsubscribe('t/#')
    await clean.disconnect()
    await (await come('x', false)).disconnect()
    const ofX = service.asked.filter(asked => asked.endsWith(' x'))
    assert.deepEqual(ofX, ['list x', 'subscribe x', 'close x', 'list x'])
    assert.deepEqual(await gateway.space.routes.list(publishAddress('x')), [])
  })

  it('asks again where the reply went to somebody else', async () => {
    service.losesReplies = 1
    await come('x', false)
    assert.deepEqual(service.asked, ['list x', 'list x'])
  })

  it('refuses a client where no reply comes', async () => {
    service.losesReplies = Infinity
    const client = await gateway.openWith(connect({ clientId: 'x', clean: false }))
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent: false, returnCode: 3 })
  })

  it('refuses ids that a broker reads as more than one address, or that are another id written by us', async () => {
    for (const clientId of ['#', 'a*', 'a::b', 'a%2Fb', '%74o']) {
      const client = await gateway.openWith(connect({ clientId, clean: false }))
      assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent: false, returnCode: 2 })
    }
    assert.deepEqual(service.asked, [])
  })

  it('takes a session over from another gateway of ours, which the service does not do', async () => {
    const services = { peer: 'original' }
    const other = await RunningGateway.start({
      ...{ roles: ['gateway'], on: gateway.space },
      mqtt: mqttOptions({ services })
    })
    try {
      const first = await come('x', false)
      await first.subscribe(['t/#', 1])
      const second = await other.openWith(connect({ clientId: 'x', clean: false }))
      assert.deepEqual(await second.next(), { cmd: 'connack', sessionPresent: true, returnCode: 0 })
      assert.deepEqual(await first.untilClosed(), [])
      await send('for the second')
      await receive(second, 'for the second')
      second.destroy()
    } finally {
      await other.stop()
    }
  })

  it('takes a session over from an original gateway, and is not cut off by one that comes after it', async () => {
    const before = await come('a/b', false)
    await before.subscribe(['t/#', 1])
    await before.disconnect()
    const held = await OriginalClient.connect(gateway.space, 'a/b')
    assert.deepEqual(await held.listed(), { 't/#': '1' })
    try {
      const taking = await come('a/b', true)
      assert.equal(await held.isExpelled(), 'amqp:resource-deleted')
      await send('for ours')
      await receive(taking, 'for ours')
      // the service would end nobody: two gateways would share what comes
      await assert.rejects(OriginalClient.connect(gateway.space, 'a/b'), /amqp:resource-locked/)
      await taking.disconnect()
    } finally {
      await held.disconnect()
    }
  })

  it('keeps its clients when the service starts again', async () => {
    const [durable, clean] = [await come('x', false), await come('y', false, true)]
    await durable.subscribe(['t/#', 1])
    await clean.subscribe(['t/#', 1])
    await service.close()
    service = await OriginalSubscriptionService.open(gateway.space, service)
    await come('z', false)
    assert.deepEqual(service.subscriptionsOf('x'), { 't/#': '1' })
    assert.deepEqual(service.asked, ['list z'])
    await send('still')
    await receive(durable, 'still')
    await receive(clean, 'still')
  })
})
