// kill -9 of one of two gateways while MQTT clients publish with QoS 1 through both.
// Rule: nothing acknowledged is lost, to the durable queue of an AMQP client and to a wildcard subscriber of the other gateway, which
// goes on; a client of the killed one comes back through the other at once.

import assert from 'node:assert/strict'
import { connect } from '../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../fixtures/mqtt-socket.js'
import { APART, Cluster, TOGETHER } from './cluster.js'
import { drain, publishEnd } from './drained.js'
import { flowUntil } from './flow.js'
import { Publisher } from './publisher.js'
import { rounds } from './random.js'
import { storedBefore } from './verdict.js'
import { Watcher } from './watcher.js'

const QUEUE = 'ledger'
/** acknowledgements before the fault */
const MOST = 800
const TAKEOVER_MS = 2000

for (const shape of [APART, TOGETHER])
  describe(`kill -9 of a gateway, of two in front of one broker, ${shape.name}`, () => {
    let cluster: Cluster

    before(async () => {
      cluster = await Cluster.open({ timeoutMs: 5000, takeoverTimeoutMs: TAKEOVER_MS }, shape)
      const amqp = await cluster.amqp()
      await amqp.subscribe(QUEUE, { 'fault/#': '1' })
      await amqp.close()
    })
    after(() => cluster.close())

    async function roam(port: number): Promise<MqttSocket> {
      const client = await MqttSocket.open(port)
      client.send(connect({ clientId: 'roams' }))
      assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent: false, returnCode: 0 })
      assert.deepEqual(await client.subscribe(['mine/#', 1]), [1])
      return client
    }

    for (const { name, random } of shape === APART ? rounds(4) : rounds(8, 0.5)) {
      it(`loses nothing that was acknowledged, and lets its clients in at the other (${name}) [MQTT3-4.3.2-2]`, async () => {
        const [killed, other] = random.chance(0.5) ? cluster.gateways : cluster.gateways.toReversed()
        assert.ok(killed && other)
        const watcher = await Watcher.start(other.port)
        const former = await roam(killed.port)
        const publishers = [0, 1, 2, 3].map(i => new Publisher(`p${i}`, `fault/flow/${i}`))
        await flowUntil(publishers, i => (i % 2 === 0 ? killed : other).port, random, MOST)
        const [cut, uncut] = [0, 1].map(rest => publishers.filter((_, i) => i % 2 === rest))
        assert.ok(cut && uncut)
        await killed.kill()
        const from = performance.now()
        const roams = await roam(other.port)
        assert.ok(performance.now() - from < TAKEOVER_MS, 'nobody is waited for')
        assert.deepEqual(await former.untilClosed(), [])
        await Promise.all(cut.map(p => p.connectionLost()))
        await Promise.all(uncut.map(p => p.stop()))
        const counts = new Map(publishers.map(p => [p.name, p.count]))
        await Promise.all(cut.map(p => p.resume(other.port)))
        await publishEnd(other.port)
        const amqp = await cluster.amqp()
        storedBefore(await drain(amqp, QUEUE), counts)
        await amqp.close()
        storedBefore(await watcher.all(), counts)
        assert.equal(watcher.lost, false)
        assert.deepEqual(await roams.untilPong(), [])
        await roams.disconnect()
        await killed.start()
      })
    }
  })
