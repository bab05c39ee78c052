// PINGREQ and the keep alive of MQTT 3.1.1, chapters 3.12 and 3.1.2.10. The tests wait for the server's clock, all at once.

import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { gatewayForSuite } from '../fixtures/gateway.js'
import { PINGREQ, puback, publish, subscribe, unsubscribe } from '../fixtures/mqtt-bytes.js'
import { freshId, subscriber } from './expectations.js'

describe('conformance: PINGREQ', () => {
  const gateway = gatewayForSuite()

  it('answers with PINGRESP [MQTT3-3.12.4-1]', async () => {
    const client = await gateway().connect(freshId())
    client.send(PINGREQ)
    assert.equal(await client.nextBytes(), 'd000')
  })

  it('answers each of many that come at once [MQTT3-3.12.4-1]', async () => {
    const client = await gateway().connect(freshId())
    client.send(...Array<Buffer>(1000).fill(PINGREQ))
    const answers = await client.take(1000)
    assert.ok(answers.every(({ cmd }) => cmd === 'pingresp'))
    assert.equal(client.untaken, 0)
  })

  it('answers while publications are on their way [MQTT3-3.12.4-1]', async () => {
    const client = await subscriber(gateway(), ['flow', 1])
    client.send(publish('flow', 'x', { packetId: 1 }), PINGREQ)
    const kinds = (await client.take(3)).map(({ cmd }) => cmd)
    assert.deepEqual(kinds.sort(), ['pingresp', 'puback', 'publish'])
  })
})

describe('conformance: keep alive', () => {
  const gateway = gatewayForSuite()

  /** ms until the server closes a client with keep alive 1 that does this and then is silent. */
  async function silence(...bytes: readonly Uint8Array[]): Promise<number> {
    const client = await gateway().connect(freshId(), { keepAliveS: 1 })
    const start = performance.now()
    client.send(...bytes)
    await client.untilClosed()
    return performance.now() - start
  }

  it('closes after one and a half times the keep alive, and not before; 0 turns it off [MQTT3-3.1.2-24]', async () => {
    const forever = await gateway().connect(freshId())
    const patient = await gateway().connect(freshId(), { keepAliveS: 60 })
    const waited = await Promise.all([
      silence(),
      silence(PINGREQ),
      silence(publish('a', 'x'), puback(1), subscribe(1, ['a', 1]), unsubscribe(2, 'a')),
      // bytes alone are no packet
      silence(publish('a', 'x').subarray(0, 3))
    ])
    for (const ms of waited) assert.ok(ms > 1450 && ms < 2500, `${ms} ms`)
    assert.deepEqual(await forever.untilPong(), [])
    assert.deepEqual(await patient.untilPong(), [])
    const closed = gateway().take('warn')
    assert.equal(closed.filter(({ fields }) => fields['code'] === 'keepAliveTimeout').length, waited.length)
  })

  it('counts from the last packet of the client, not from what it is sent [MQTT3-3.1.2-24]', async () => {
    const active = await gateway().connect(freshId(), { keepAliveS: 1 })
    const silent = await gateway().connect(freshId(), { keepAliveS: 1 })
    await silent.subscribe(['tick', 0])
    const timer = setInterval(() => active.send(publish('tick', 'x')), 200)
    try {
      const ticks = await silent.untilClosed()
      assert.ok(ticks.length >= 4, `${ticks.length} ticks`)
    } finally {
      clearInterval(timer)
    }
    // its own CONNECT came earlier than that of the other
    assert.deepEqual(await active.untilPong(), [])
  })
})
