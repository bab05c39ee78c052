// Durable sessions of our gateway with a Subscription Service that is not ours.

import assert from 'node:assert/strict'
import { gatewayForSuite } from '../../fixtures/gateway.js'
import { connect, puback } from '../../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../../fixtures/mqtt-socket.js'
import { OriginalService } from '../../fixtures/original-service.js'

describe('durable sessions with an original service', () => {
  const gateway = gatewayForSuite({ roles: ['gateway'] })
  let service: OriginalService

  before(async () => {
    service = new OriginalService(gateway().space)
    await service.start()
  })
  after(() => service.stop())

  async function come(sessionPresent: boolean): Promise<MqttSocket> {
    const client = await gateway().openWith(connect({ clientId: 'x', clean: false }))
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent, returnCode: 0 })
    return client
  }

  it('are kept, and are present where there are subscriptions [MQTT3-3.1.2-5] [MQTT3-3.2.2-2]', async () => {
    const first = await come(false)
    assert.deepEqual(await first.subscribe(['t/#', 1], ['u', 0]), [1, 0])
    await first.unsubscribe('u')
    await first.disconnect()
    const publisher = await gateway().connect('publisher', { clean: false })
    for (const [topic, payload] of [
      ['t/1', 'one'],
      ['u', 'nobody'],
      ['t/2', 'two']
    ] as const)
      await publisher.publish(topic, payload)
    const second = await come(true)
    for (const payload of ['one', 'two']) {
      const packet = await second.nextPublish()
      assert.deepEqual([packet.payload, packet.qos], [payload, 1])
      if (payload === 'one') second.send(puback(packet.packetId ?? 0))
    }
    assert.deepEqual(await second.untilPong(), [])
    // what was not acknowledged goes to whoever comes next, of the same gateway
    const third = await come(true)
    assert.deepEqual(await second.untilClosed(), [])
    const again = await third.nextPublish()
    assert.deepEqual([again.payload, again.dup], ['two', true])
    await third.disconnect()
  })
})
