// A client with a durable session while processes are killed and frozen: each gateway, the broker, the service.
// Rule: what was published with QoS 1 and acknowledged to its publisher comes, in order, until the client has acknowledged it; and
// what a gateway that ended by itself had sent comes under the packet id that it had.

import assert from 'node:assert/strict'
import { connect, puback, type PublishedPacket } from '../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../fixtures/mqtt-socket.js'
import { Cluster, type Member } from './cluster.js'
import { rounds, type Random } from './random.js'

const TAKEOVER_MS = 300
const TOPIC = 'durable/t'

describe('a durable session while processes are killed and frozen', () => {
  let cluster: Cluster
  let published = 0
  /** payload of the first publication that the client has not acknowledged */
  let expected = 0

  before(async () => {
    cluster = await Cluster.open({ timeoutMs: 5000, takeoverTimeoutMs: TAKEOVER_MS })
    const client = await come(cluster.gateways[0], false)
    assert.deepEqual(await client.subscribe(['durable/#', 1]), [1])
    await client.disconnect()
  })
  after(() => cluster.close())

  async function come({ port }: Member, sessionPresent: boolean): Promise<MqttSocket> {
    const client = await MqttSocket.open(port)
    client.send(connect({ clientId: 'durable', clean: false }))
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent, returnCode: 0 })
    return client
  }

  async function publish(gateway: Member, count: number): Promise<void> {
    const publisher = await MqttSocket.open(gateway.port)
    publisher.send(connect({ clientId: 'publisher' }))
    assert.equal((await publisher.next()).cmd, 'connack')
    for (let i = 0; i < count; i++) await publisher.publish(TOPIC, String(published++))
    await publisher.disconnect()
  }

  /**
   * Takes all that was published from `expected` on, in order. `killed`: the broker may not know of the last acknowledgements, and then
   * what was acknowledged comes first, once more.
   */
  async function takeAll(client: MqttSocket, killed = false): Promise<PublishedPacket[]> {
    const packets: PublishedPacket[] = []
    let next: number | undefined
    while (next === undefined || next < published) {
      const packet = await client.nextPublish()
      const number = Number(packet.payload)
      next ??= number
      assert.equal(number, next)
      assert.ok(number >= expected || (killed && packet.dup), `${number} again`)
      packets.push(packet)
      next += 1
    }
    assert.ok(Number(packets[0]?.payload) <= expected, `${expected} is lost`)
    expected = Math.min(expected, Number(packets[0]?.payload))
    return packets
  }

  async function acknowledge(client: MqttSocket, packets: readonly PublishedPacket[]): Promise<void> {
    client.send(...packets.map(({ packetId }) => puback(packetId ?? 0)))
    assert.deepEqual(await client.untilPong(), [])
    expected += packets.length
  }

  const pick = (random: Random): [Member, Member] => {
    const [a, b] = cluster.gateways
    return random.chance(0.5) ? [a, b] : [b, a]
  }

  for (const { name, random } of rounds(3)) {
    it(`is there again at another gateway after kill -9 of the first (${name}) [MQTT3-3.1.2-5]`, async () => {
      const [killed, other] = pick(random)
      const first = await come(killed, true)
      await publish(other, random.between(1, 60))
      const packets = await takeAll(first)
      await acknowledge(first, packets.slice(0, random.between(0, packets.length)))
      await killed.kill()
      await publish(other, 3)
      const second = await come(other, true)
      await acknowledge(second, await takeAll(second, true))
      await second.disconnect()
      await killed.start()
    })

    it(`goes from one gateway to the other with its packet ids (${name}) [MQTT3-4.4.0-1]`, async () => {
      const [from, to] = pick(random)
      const first = await come(from, true)
      await publish(to, random.between(2, 60))
      const packets = await takeAll(first)
      const acknowledged = random.between(0, packets.length - 1)
      await acknowledge(first, packets.slice(0, acknowledged))
      const second = await come(to, true)
      assert.deepEqual(await first.untilClosed(), [])
      const again = await takeAll(second)
      assert.deepEqual(
        again,
        packets.slice(acknowledged).map(packet => ({ ...packet, dup: true }))
      )
      await acknowledge(second, again)
      await second.disconnect()
    })

    it(`is taken from a frozen gateway, which changes nothing when it goes on (${name})`, async () => {
      const [frozen, other] = pick(random)
      const stale = await come(frozen, true)
      await publish(other, random.between(1, 40))
      const packets = await takeAll(stale)
      frozen.program.signal('SIGSTOP')
      try {
        const early = random.chance(0.5)
        const words = packets.map(({ packetId }) => puback(packetId ?? 0))
        if (early) stale.send(...words)
        const fresh = await come(other, true)
        const again = await takeAll(fresh)
        if (!early) stale.send(...words)
        frozen.program.signal('SIGCONT')
        assert.deepEqual(await stale.untilClosed(), [])
        const third = await come(frozen, true)
        assert.deepEqual(await fresh.untilClosed(), [])
        // what the fresh one was sent is not acknowledged by the stale one's words
        assert.deepEqual(
          await takeAll(third),
          again.map(packet => ({ ...packet, dup: true }))
        )
        await acknowledge(third, again)
        await third.disconnect()
      } finally {
        frozen.program.signal('SIGCONT')
      }
    })

    it(`keeps its client connected through kill -9 of the broker (${name})`, async () => {
      const [here, there] = pick(random)
      const client = await come(here, true)
      await publish(there, random.between(2, 40))
      const packets = await takeAll(client)
      const acknowledged = random.between(0, packets.length - 1)
      await acknowledge(client, packets.slice(0, acknowledged))
      await cluster.owner.kill()
      assert.deepEqual(await client.untilPong(), [])
      await cluster.owner.start()
      const before = published
      await publishAgain(there)
      // what it has not acknowledged is not sent a second time; what it has may not have been on the broker's disk
      const unacknowledged = packets.slice(acknowledged)
      let next = await client.nextPublish()
      for (; Number(next.payload) !== before; next = await client.nextPublish()) {
        assert.ok(next.dup && !unacknowledged.some(({ payload }) => payload === next.payload), next.payload)
        client.send(puback(next.packetId ?? 0))
      }
      await acknowledge(client, [...unacknowledged, next])
      assert.equal(expected, published)
      await client.disconnect()
      const later = await come(there, true)
      assert.deepEqual(await later.untilPong(), [])
      await later.disconnect()
    })

    it(`outlives kill -9 of the service, and another one takes its place (${name})`, async () => {
      const [here, there] = pick(random)
      const client = await come(here, true)
      const [active, standby] = cluster.services
      await active.kill()
      assert.deepEqual(await client.subscribe(['durable/more', 1]), [1])
      await publish(there, 5)
      await acknowledge(client, await takeAll(client))
      await client.disconnect()
      await active.start()
      await standby.kill()
      const again = await come(there, true)
      assert.deepEqual(await again.untilPong(), [])
      await again.disconnect()
      await standby.start()
    })
  }

  /** One publication, by a publisher that comes until the broker lets it. */
  async function publishAgain(gateway: Member): Promise<void> {
    for (;;) {
      const publisher = await MqttSocket.open(gateway.port)
      publisher.send(connect({ clientId: 'publisher' }))
      const answer = await publisher.next()
      if (answer.cmd === 'connack' && answer.returnCode === 0) {
        await publisher.publish(TOPIC, String(published++))
        return publisher.disconnect()
      }
      await publisher.untilClosed()
    }
  }
})
