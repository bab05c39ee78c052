// MQTT 3.1: where it is not as 3.1.1. The specification has no numbered statements; its sections are named.

import assert from 'node:assert/strict'
import { gatewayForSuite } from '../fixtures/gateway.js'
import { byte, connect31, publish, subscribe, unsubscribe } from '../fixtures/mqtt-bytes.js'
import { assertAccepted, assertCloses, assertPayloads, assertRefused, freshId } from './expectations.js'

const MQTT31 = { protocol: 'MQIsdp', level: 3 }

function withDup(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes)
  changed[0] = (bytes[0] ?? 0) | 0x08
  return changed
}

describe('conformance: MQTT 3.1', () => {
  const gateway = gatewayForSuite()

  it('accepts a client of 3.1, which publishes and subscribes as any other (3.1)', async () => {
    const client = await assertAccepted(gateway(), connect31({ clientId: freshId() }))
    assert.deepEqual(await client.subscribe(['v31/+', 1]), [1])
    const newer = await gateway().connect(freshId())
    await newer.publish('v31/x', 'from 3.1.1')
    client.send(publish('v31/y', 'own'))
    await assertPayloads(client, 'from 3.1.1', 'own')
    await client.unsubscribe('v31/+')
    assert.deepEqual(await client.untilPong(), [])
    await client.disconnect()
  })

  it('refuses with 2 a client id that is empty or has more than 23 characters (3.1, Client Identifier)', async () => {
    await assertRefused(gateway(), connect31({ clientId: '' }), 2)
    await assertRefused(gateway(), connect31({ clientId: 'x'.repeat(24) }), 2)
    await assertAccepted(gateway(), connect31({ clientId: 'x'.repeat(23) }))
    await assertAccepted(gateway(), connect31({ clientId: '\u00e4'.repeat(23) }))
    await assertAccepted(gateway(), connect31({ clientId: 'x' }))
  })

  it('refuses with 1 a level that its name does not have (3.1, Protocol Version)', async () => {
    for (const level of [0, 2, 4, 5]) await assertRefused(gateway(), connect31({ level }), 1)
  })

  it('takes SUBSCRIBE and UNSUBSCRIBE with DUP (3.8, 3.10), which 3.1.1 does not', async () => {
    const client = await assertAccepted(gateway(), connect31({ clientId: freshId() }))
    client.send(withDup(subscribe(1, ['dup31', 0])))
    assert.deepEqual(await client.next(), { cmd: 'suback', packetId: 1, codes: [0] })
    client.send(withDup(unsubscribe(2, 'dup31')))
    assert.deepEqual(await client.next(), { cmd: 'unsuback', packetId: 2 })
    await assertCloses(gateway(), withDup(subscribe(1, ['a', 0])))
  })

  it('checks all other flags as 3.1.1 does (2.1)', async () => {
    for (const first of [0x80, 0x81, 0x83, 0x84]) {
      const bytes = subscribe(1, ['a', 0])
      bytes[0] = first
      await assertCloses(gateway(), bytes, undefined, MQTT31)
    }
    await assertCloses(gateway(), byte(0xc8, 0), undefined, MQTT31)
  })

  it('ends the client that is connected when another one comes with its client id, of either version (3.1)', async () => {
    const older = await gateway().connect('versions', MQTT31)
    const newer = await gateway().connect('versions')
    assert.deepEqual(await older.untilClosed(), [])
    await gateway().connect('versions', MQTT31)
    assert.deepEqual(await newer.untilClosed(), [])
  })
})
