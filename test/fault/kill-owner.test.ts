// kill -9 of the process that has the broker and the data, under two gateways that live on, and its restart at the same place.
// Rule: nothing acknowledged is lost; clients with QoS 1 subscriptions are told, those with QoS 0 stay; when the broker is back new
// clients come in without anybody's doing, and each process has said in one line that it was gone, and in one that it is there.

import assert from 'node:assert/strict'
import { connect } from '../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../fixtures/mqtt-socket.js'
import { Cluster } from './cluster.js'
import { drain, publishEnd } from './drained.js'
import { flowUntil } from './flow.js'
import { Publisher } from './publisher.js'
import { rounds } from './random.js'
import { storedBefore } from './verdict.js'
import { Watcher } from './watcher.js'

const QUEUE = 'ledger'
/** acknowledgements before the fault */
const MOST = 800
const GONE = 'the broker is gone; it is tried again'
const BACK = 'the broker is there again'

describe('kill -9 of the broker behind two gateways', () => {
  let cluster: Cluster
  let killed = 0

  before(async () => {
    cluster = await Cluster.open({ timeoutMs: 5000, takeoverTimeoutMs: 2000 })
    const amqp = await cluster.amqp()
    await amqp.subscribe(QUEUE, { 'fault/#': '1' })
    await amqp.close()
  })
  after(() => cluster.close())

  async function open(port: number, clientId: string): Promise<MqttSocket> {
    const client = await MqttSocket.open(port)
    client.send(connect({ clientId }))
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent: false, returnCode: 0 })
    return client
  }

  for (const { name, random } of rounds(7)) {
    it(`loses nothing that was acknowledged, and serves clients again when it is back (${name}) [MQTT3-4.3.2-2]`, async () => {
      const { gateways, users, owner } = cluster
      const watcher = await Watcher.start(gateways[1].port)
      const patient = await open(gateways[0].port, 'patient')
      assert.deepEqual(await patient.subscribe(['told/+', 0]), [0])
      const publishers = [0, 1, 2, 3].map(i => new Publisher(`p${i}`, `fault/flow/${i}`))
      await flowUntil(publishers, i => gateways[i % 2 === 0 ? 0 : 1].port, random, MOST)
      await owner.kill()
      killed += 1
      await watcher.all()
      assert.equal(watcher.lost, true)
      await Promise.all(publishers.map(p => p.connectionLost()))
      const counts = new Map(publishers.map(p => [p.name, p.count]))
      await owner.start()
      for (const { program } of users) await program.waitForLine(BACK, killed)
      await Promise.all(publishers.map((p, i) => p.resume(gateways[i % 2 === 0 ? 1 : 0].port)))
      await publishEnd(gateways[0].port)
      const amqp = await cluster.amqp()
      storedBefore(await drain(amqp, QUEUE), counts)
      await amqp.close()
      // one who shares the source is answered when it is there
      const late = await open(gateways[0].port, 'late')
      assert.deepEqual(await late.subscribe(['told/+', 1]), [1])
      await (await open(gateways[1].port, 'tells')).publish('told/now', 'x')
      assert.equal((await late.nextPublish()).topic, 'told/now')
      assert.deepEqual((await patient.untilPong()).length, 1)
      await patient.disconnect()
      await late.disconnect()
      for (const { program } of users) {
        const lines = program.log.filter(({ msg }) => msg === GONE || msg === BACK).map(({ msg }) => msg)
        assert.deepEqual(lines, Array.from({ length: killed }, () => [GONE, BACK]).flat())
        assert.deepEqual(
          program.log.filter(({ level }) => level === 'error'),
          []
        )
      }
    })
  }
  it('leaves processes that end in order while it is gone', async () => {
    const subscriber = await open(cluster.gateways[0].port, 'subscriber')
    assert.deepEqual(await subscriber.subscribe(['told/+', 0]), [0])
    await cluster.owner.kill()
    killed += 1
    for (const { program } of cluster.users) {
      await program.waitForLine(GONE, killed)
      assert.deepEqual(await program.stop(), { code: 0, signal: null })
      assert.equal(program.stderr, '')
    }
    assert.deepEqual(await subscriber.untilClosed(), [])
  })
})
