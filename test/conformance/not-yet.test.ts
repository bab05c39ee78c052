// What this version refuses, and how it says so. Each test is to be inverted by the change that brings the feature.

import assert from 'node:assert/strict'
import { gatewayForSuite, type RunningGateway } from '../fixtures/gateway.js'
import { connect, publish } from '../fixtures/mqtt-bytes.js'
import { assertCloses, assertPayloads, assertRefused, freshId, subscriber } from './expectations.js'

describe('conformance: what is not there yet', () => {
  const gateway = gatewayForSuite()

  /** There is one warning, and it names the feature. */
  function assertWarned(running: RunningGateway, feature: string, clientId?: string): void {
    const warned = running.take('warn').filter(({ message }) => message.includes('what is not there'))
    assert.deepEqual(
      warned.map(({ fields }) => fields['feature']),
      [feature]
    )
    if (clientId !== undefined) assert.equal(warned[0]?.fields['clientId'], clientId)
  }

  beforeEach(() => void gateway().take('warn'))

  it('refuses a will with return code 3, and warns [MQTT3-3.1.2-8]', async () => {
    for (const qos of [0, 1, 2]) {
      const will = { topic: 'will', payload: 'gone', qos, retain: qos === 1 }
      await assertRefused(gateway(), connect({ clientId: 'with-will', will }), 3)
      assertWarned(gateway(), 'will', 'with-will')
    }
  })

  it('grants QoS 1 where QoS 2 was asked for [MQTT3-3.8.4-6]', async () => {
    const client = await gateway().connect(freshId())
    assert.deepEqual(await client.subscribe(['two', 2], ['one', 1], ['zero', 0]), [1, 1, 0])
    const connection = await gateway().space.connect('service')
    const sender = await connection.openSender({ address: 'two' })
    sender.send({
      durable: true,
      deliveryCount: 0,
      annotations: new Map([['x-opt-mqtt-qos', { type: 'int', value: 2 }]]),
      properties: {},
      applicationProperties: new Map(),
      body: { type: 'data', sections: [Buffer.from('x')] }
    })
    assert.equal((await client.nextPublish()).qos, 1)
    await connection.close()
  })

  it('closes on PUBLISH with QoS 2, publishes nothing, and warns [MQTT3-3.3.4-1]', async () => {
    const witness = await subscriber(gateway(), ['qos2', 1])
    await assertCloses(gateway(), publish('qos2', 'ghost', { qos: 2, packetId: 1 }))
    assertWarned(gateway(), 'QoS 2')
    witness.send(publish('qos2', 'sentinel'))
    await assertPayloads(witness, 'sentinel')
  })

  it('refuses MQTT 5.0 with return code 1 in the form of 3.1.1 [MQTT3-3.1.2-2]', async () => {
    await assertRefused(gateway(), connect({ level: 5 }), 1)
    // as a client of 5.0 sends it: properties before the client id
    const hello = '101100044d5154540502003c03210014000464656d6f'
    await assertRefused(gateway(), Buffer.from(hello, 'hex'), 1)
  })
})
