// Durable sessions and retained messages on a cluster, under load and through a fault.
// Rule: when a round ends nothing is on its way any more, so that the next one begins with what it should find.

import assert from 'node:assert/strict'
import { connect, puback, publish, subscribe } from '../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../fixtures/mqtt-socket.js'
import type { Cluster } from './cluster.js'
import { flowUntil } from './flow.js'
import { Publisher } from './publisher.js'
import type { Random } from './random.js'
import { Retainer } from './retainer.js'
import { Roamer, type Surroundings } from './roamer.js'
import { SessionVerdict, type Published } from './session-verdict.js'

/** acknowledgements before the fault */
const MOST = 600
/** its second copy says that the replay before it is over */
const SENTINEL = 'kept-last'

export interface Fault {
  /** by gateway: its clients lose their connections */
  readonly cuts: readonly [boolean, boolean]
  /** the broker is what is killed */
  readonly broker?: true
  kill(): Promise<void>
  /** Resolves when all is as before. */
  mend(): Promise<void>
}

export class SessionScene implements Surroundings {
  readonly #cluster: Cluster
  readonly #retainers: readonly Retainer[]
  readonly #roamers: readonly Roamer[]
  readonly #verdicts: readonly SessionVerdict[]
  #round = 0
  epoch = 0
  mended: Promise<void> = Promise.resolve()

  constructor(cluster: Cluster, random: Random) {
    this.#cluster = cluster
    this.#retainers = ['r0', 'r1'].map(name => new Retainer(name, random))
    const filters = (i: number): string[] => (i < 2 ? ['fault/#', 'kept/#'] : ['fault/#'])
    this.#roamers = [0, 1, 2, 3, 4].map(i => new Roamer(`roams/${i}`, filters(i), random, this))
    this.#verdicts = this.#roamers.map(roamer => new SessionVerdict(roamer))
  }

  get ports(): readonly [number, number] {
    const [a, b] = this.#cluster.gateways
    return [a.port, b.port]
  }

  /** Makes the sessions. */
  async begin(): Promise<void> {
    await Promise.all(this.#roamers.map(roamer => roamer.begin()))
    await this.#publishOne(SENTINEL, 'sentinel', true)
  }

  /** Load, the fault in its midst, and all that must be true after it. */
  async through(fault: Fault, random: Random): Promise<void> {
    const round = ++this.#round
    const { ports } = this
    const flows = [0, 1, 2].map(i => new Publisher(`p${i}.${round}`, `fault/flow/${i}`))
    const side = new Publisher(`side.${round}`, 'side/flow')
    const publishers = [...flows, side]
    const offset = random.between(0, 1)
    const gatewayOf = (i: number): 0 | 1 => ((i + offset) % 2 === 0 ? 0 : 1)
    for (const roamer of this.#roamers) roamer.live(() => side.count)
    await Promise.all(this.#retainers.map((retainer, i) => retainer.flow(ports[gatewayOf(i)])))
    await flowUntil(publishers, i => ports[gatewayOf(i)], random, MOST)

    let mended: () => void = () => undefined
    this.mended = new Promise(resolve => (mended = resolve))
    this.epoch += 1
    await fault.kill()
    const brokerLostAt = fault.broker && this.epoch
    const isCut = (i: number): boolean => fault.cuts[gatewayOf(i)]
    await Promise.all(publishers.map((p, i) => (isCut(i) ? p.connectionLost() : p.stop())))
    await Promise.all(this.#retainers.map((retainer, i) => retainer.stop(isCut(i))))
    const counts = publishers.map(({ name, count }): Published => ({ name, ...count }))
    await fault.mend()
    this.epoch += 1
    mended()

    await Promise.all(
      publishers.map((p, i) => isCut(i) && p.resume(ports[random.between(0, 1) === 0 ? 0 : 1]))
    )
    const last = `end ${round}`
    await Promise.all(this.#roamers.map(roamer => roamer.stay()))
    await this.#publishOne('fault/end', last, false)
    await Promise.all(this.#roamers.map(roamer => roamer.leaveAfter(last)))
    await this.#check(counts, brokerLostAt)
  }

  /** All sessions end, and all retained messages are removed. */
  async end(): Promise<void> {
    for (const roamer of this.#roamers) await roamer.end()
    for (const retainer of this.#retainers) await retainer.clear(this.ports[0])
    assert.deepEqual([...(await this.#allRetained())], [])
    await this.#publishOne(SENTINEL, '', true)
  }

  async #check(counts: readonly Published[], brokerLostAt: number | undefined): Promise<void> {
    const retained = await this.#allRetained()
    for (const retainer of this.#retainers) retainer.check(retained)
    const [side, publishers] = [counts.at(-1), counts.slice(0, -1)]
    assert.ok(side)
    const acknowledged = new Map(this.#retainers.map(({ name, acknowledged: sets }) => [name, sets]))
    const facts = { publishers, side, retained: acknowledged, brokerLostAt }
    for (const verdict of this.#verdicts) verdict.judge(facts)
    for (const [i, { last }] of this.#verdicts.entries()) {
      if (this.#roamers[i]?.filters.includes('kept/#') !== true) continue
      for (const [topic, payload] of last)
        assert.equal(payload, retained.get(topic) ?? '', `${topic} is retained as it came last`)
    }
    const host = await this.#cluster.host()
    for (const { clientId, filters } of this.#roamers) {
      const routes = await host.routes.list(`$mqtt.to.${clientId.replace('/', '%2F')}.publish`)
      assert.deepEqual(routes.map(({ filter }) => filter).sort(), [...filters].sort(), clientId)
    }
    await host.close()
  }

  /** What a new subscriber to # gets. */
  async #allRetained(): Promise<ReadonlyMap<string, string>> {
    const client = await this.#connect('fresh')
    const retained = new Map<string, string>()
    client.send(subscribe(1, ['#', 1]), subscribe(2, [SENTINEL, 1]))
    for (let sentinels = 0; sentinels < 2;) {
      const packet = await client.next()
      if (packet.cmd !== 'publish') continue
      if (packet.packetId !== undefined) client.send(puback(packet.packetId))
      assert.ok(packet.retain, `${packet.topic}: nothing else goes on`)
      if (packet.topic === SENTINEL) sentinels += 1
      else assert.ok(!retained.has(packet.topic), `${packet.topic} once`)
      if (packet.topic !== SENTINEL) retained.set(packet.topic, packet.payload)
    }
    await client.disconnect()
    return retained
  }

  async #publishOne(topic: string, payload: string, retain: boolean): Promise<void> {
    const client = await this.#connect('fault-one')
    client.send(publish(topic, payload, { packetId: 1, retain }))
    assert.deepEqual(await client.next(), { cmd: 'puback', packetId: 1 })
    await client.disconnect()
  }

  async #connect(clientId: string): Promise<MqttSocket> {
    const client = await MqttSocket.open(this.ports[1])
    client.send(connect({ clientId }))
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent: false, returnCode: 0 })
    return client
  }
}
