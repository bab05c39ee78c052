// DISCONNECT and the end of connections of MQTT 3.1.1, chapters 3.14, 4.8 and 7.

import assert from 'node:assert/strict'
import { gatewayForSuite } from '../fixtures/gateway.js'
import { connect, DISCONNECT, PINGREQ, publish, subscribe } from '../fixtures/mqtt-bytes.js'
import { assertPayloads, freshId, subscriber } from './expectations.js'

describe('conformance: DISCONNECT', () => {
  const gateway = gatewayForSuite()

  it('closes the connection, and says nothing', async () => {
    const client = await gateway().connect(freshId())
    client.send(DISCONNECT)
    assert.deepEqual(await client.untilClosed(), [])
  })

  it('is the end of it: what comes after it is not read [MQTT3-3.14.4-2]', async () => {
    const witness = await subscriber(gateway(), ['after', 0])
    const client = await gateway().connect(freshId())
    client.send(publish('after', 'before'), DISCONNECT, publish('after', 'ghost'), PINGREQ)
    assert.deepEqual(await client.untilClosed(), [])
    witness.send(publish('after', 'sentinel'))
    await assertPayloads(witness, 'before', 'sentinel')
  })

  it('publishes nothing [MQTT3-3.1.2-12]', async () => {
    const witness = await subscriber(gateway(), ['#', 1])
    const clientId = freshId()
    await (await gateway().connect(clientId)).disconnect()
    const successor = await gateway().connect(clientId)
    successor.send(publish('sentinel', 'sentinel'))
    await assertPayloads(witness, 'sentinel')
  })

  it('ends the session: its subscriptions are gone [MQTT3-3.1.2-6]', async () => {
    const client = await subscriber(gateway(), ['ends/here', 1])
    const sources = gateway().metric('mqtt_inbox_sources')
    await client.disconnect()
    const other = await gateway().connect(freshId())
    assert.deepEqual(await other.untilPong(), [])
    assert.equal(gateway().metric('mqtt_inbox_sources'), sources - 1)
  })

  it('keeps what other clients do apart from a client that breaks a rule [MQTT3-4.8.0-1]', async () => {
    const others = [await subscriber(gateway(), ['apart', 1]), await gateway().connect(freshId())]
    const offender = await subscriber(gateway(), ['apart', 1])
    offender.send(publish('apart', 'x'), subscribe(0, ['a', 0]), publish('apart', 'ghost'))
    assert.ok((await offender.untilClosed()).every(({ cmd }) => cmd === 'publish'))
    others[1]?.send(publish('apart', 'sentinel'))
    await assertPayloads(others[0] ?? assert.fail(), 'x', 'sentinel')
  })
})

describe('conformance: the stream of bytes', () => {
  const gateway = gatewayForSuite()

  it('takes packets in pieces of any size, and many in one piece [MQTT3-7.1.1-1] [MQTT3-7.0.0-2]', async () => {
    const topic = 'pieces'
    const payload = 'x'.repeat(130)
    const bytes = Buffer.concat([
      connect({ clientId: freshId() }),
      subscribe(1, [topic, 0], ['other', 1]),
      publish(topic, payload),
      PINGREQ
    ])
    for (const size of [1, 2, 3, 7, 64, bytes.length]) {
      const client = await gateway().open()
      for (let at = 0; at < bytes.length; at += size) {
        client.send(bytes.subarray(at, at + size))
        // a turn of the event loop for each piece, so that it is a piece for the reader as well
        await new Promise(resolve => setImmediate(resolve))
      }
      const kinds = (await client.take(4)).map(({ cmd }) => cmd)
      assert.deepEqual(kinds.sort(), ['connack', 'pingresp', 'publish', 'suback'], `pieces of ${size}`)
      await client.disconnect()
    }
  })

  it('serves clients that end their half of the connection as if they were lost [MQTT3-7.1.1-1]', async () => {
    const client = await gateway().connect(freshId())
    client.finish(publish('half', 'x'))
    assert.deepEqual(await client.untilClosed(), [])
  })
})
