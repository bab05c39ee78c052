// A gateway process that is frozen (SIGSTOP) with a client that comes back through another one, and goes on later (SIGCONT).
// Rule: the newer connection is let in when the time-out is over; what the older one says after that changes nothing, and ends.

import assert from 'node:assert/strict'
import { connect, publish, subscribe } from '../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../fixtures/mqtt-socket.js'
import { Cluster } from './cluster.js'
import { rounds } from './random.js'

const TAKEOVER_MS = 250
/** what a system under load may be late by */
const LATE_MS = 2000

describe('a client id at two gateway processes', () => {
  let cluster: Cluster

  before(async () => {
    cluster = await Cluster.open({ timeoutMs: 5000, takeoverTimeoutMs: TAKEOVER_MS })
  })
  after(() => cluster.close())

  async function open(port: number, clientId: string): Promise<MqttSocket> {
    const client = await MqttSocket.open(port)
    client.send(connect({ clientId }))
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent: false, returnCode: 0 })
    return client
  }

  it('is taken over from one by the other, back and forth, with all that the older connection said [MQTT3-3.1.4-2]', async () => {
    const watcher = await open(cluster.gateways[0].port, 'watcher')
    await watcher.subscribe(['rounds/#', 1])
    let former = await open(cluster.gateways[1].port, 'same')
    for (let round = 0; round < 10; round++) {
      assert.deepEqual(await former.subscribe([`only/${round}`, 1]), [1])
      former.send(publish(`rounds/${round}`, 'last words', { packetId: 1 }))
      const { port } = cluster.gateways[round % 2 === 0 ? 0 : 1]
      const next = await open(port, 'same')
      assert.deepEqual(await former.untilClosed(), [{ cmd: 'puback', packetId: 1 }])
      assert.equal((await watcher.nextPublish()).topic, `rounds/${round}`)
      await next.publish(`only/${round}`)
      assert.deepEqual(await next.untilPong(), [])
      former = next
    }
    await former.disconnect()
    assert.deepEqual(await watcher.untilPong(), [])
    await watcher.disconnect()
  })

  for (const { name, random } of rounds(6)) {
    it(`is taken over from a frozen one after the time-out, and the stale client changes nothing (${name})`, async () => {
      const [frozen, other] = random.chance(0.5) ? cluster.gateways : cluster.gateways.toReversed()
      assert.ok(frozen && other)
      const watcher = await open(other.port, 'watcher')
      assert.deepEqual(await watcher.subscribe(['+/x', 1]), [1])
      const stale = await open(frozen.port, 'same')
      assert.deepEqual(await stale.subscribe(['stale/#', 1]), [1])
      frozen.program.signal('SIGSTOP')
      try {
        const early = random.chance(0.5)
        const words = [subscribe(2, ['late/#', 1]), subscribe(3, ['later/#', 1])]
        if (early) stale.send(...words)
        const from = performance.now()
        const fresh = await open(other.port, 'same')
        const took = performance.now() - from
        assert.ok(took > TAKEOVER_MS - 10 && took < TAKEOVER_MS + LATE_MS, `${took} ms`)
        assert.deepEqual(await fresh.subscribe(['fresh/#', 1]), [1])
        if (!early) stale.send(...words)
        await fresh.publish('watched/x')
        assert.equal((await watcher.nextPublish()).topic, 'watched/x')
        frozen.program.signal('SIGCONT')
        for (const packet of await stale.untilClosed())
          assert.ok(packet.cmd === 'suback' && packet.codes.every(code => code === 0x80), packet.cmd)
        for (const topic of ['stale/1', 'late/1', 'later/1', 'fresh/1']) await watcher.publish(topic)
        assert.equal((await fresh.nextPublish()).topic, 'fresh/1')
        assert.deepEqual(await fresh.untilPong(), [])
        await fresh.disconnect()
      } finally {
        frozen.program.signal('SIGCONT')
      }
      await watcher.disconnect()
      // the gateway that was frozen serves its clients as before
      const again = await open(frozen.port, 'same')
      assert.deepEqual(await again.subscribe(['t', 1]), [1])
      await again.disconnect()
    })
  }
})
