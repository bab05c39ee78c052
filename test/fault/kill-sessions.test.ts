// kill -9 of each process while clients with durable sessions come and go, and retained messages are set and removed.
// Rule: nothing that was acknowledged is lost, to nobody whose subscription was certainly there; what is retained is what was
// acknowledged last; and when all sessions have ended nothing of them is left.

import assert from 'node:assert/strict'
import { APART, Cluster, TOGETHER, type Member, type Shape } from './cluster.js'
import { Random, rounds, SEED } from './random.js'
import { SessionScene } from './session-scene.js'

const ACTIVE = 'the subscription service is active now'
const STANDS_BY = 'another subscription service is active: this one stands by'
const LOST = 'the host lost the subscription service: it starts again'
const BACK = 'the broker is there again'

/** As the last line about it says; the first service of a cluster says nothing. */
const isActive = ({ program }: Member): boolean =>
  [undefined, ACTIVE].includes(
    program.log.findLast(({ msg }) => [ACTIVE, STANDS_BY, LOST].includes(msg))?.msg
  )

function describeKills(shape: Shape, kinds: (kill: Kills) => void): void {
  describe(`durable sessions and retained messages through kill -9, ${shape.name}`, () => {
    const kills = new Kills(shape)
    before(() => kills.open())
    after(() => kills.cluster.close())
    kinds(kills)
    it('leaves nothing of sessions that have ended', () => kills.leavesNothing())
  })
}

class Kills {
  readonly #shape: Shape
  #cluster: Cluster | undefined
  #scene: SessionScene | undefined

  constructor(shape: Shape) {
    this.#shape = shape
  }

  get cluster(): Cluster {
    assert.ok(this.#cluster, 'it is open')
    return this.#cluster
  }

  get scene(): SessionScene {
    assert.ok(this.#scene, 'it is open')
    return this.#scene
  }

  async open(): Promise<void> {
    this.#cluster = await Cluster.open({ timeoutMs: 5000, takeoverTimeoutMs: 2000 }, this.#shape)
    this.#scene = new SessionScene(this.#cluster, new Random(SEED))
    await this.#scene.begin()
  }

  broker(random: Random): Promise<void> {
    const { owner, users } = this.cluster
    const times = [...users].map(({ program }) => program.log.filter(({ msg }) => msg === BACK).length)
    return this.scene.through(
      {
        cuts: [true, true],
        broker: true,
        kill: () => owner.kill(),
        mend: async () => {
          await owner.start()
          for (const [i, { program }] of [...users].entries())
            await program.waitForLine(BACK, (times[i] ?? 0) + 1)
        }
      },
      random
    )
  }

  gateway(random: Random): Promise<void> {
    const which = random.between(0, 1) === 0 ? 0 : 1
    const gateway = this.cluster.gateways[which]
    return this.scene.through(
      {
        cuts: [which === 0, which === 1],
        kill: () => gateway.kill(),
        mend: () => gateway.start()
      },
      random
    )
  }

  service(random: Random): Promise<void> {
    const { services } = this.cluster
    const killed = isActive(services[0]) ? 0 : 1
    const next = services[killed === 0 ? 1 : 0]
    assert.deepEqual([isActive(services[killed]), isActive(next)], [true, false])
    const times = next.program.log.filter(({ msg }) => msg === ACTIVE).length
    const together = this.#shape === TOGETHER
    return this.scene.through(
      {
        cuts: [together && killed === 0, together && killed === 1],
        kill: () => services[killed].kill(),
        mend: async () => {
          await next.program.waitForLine(ACTIVE, times + 1)
          await services[killed].start()
        }
      },
      random
    )
  }

  async leavesNothing(): Promise<void> {
    await this.scene.end()
    const host = await this.cluster.host()
    assert.deepEqual(await host.queues.list('$mqtt.to.'), [])
    const routes = await host.routes.list()
    assert.deepEqual(
      routes.filter(({ queue }) => queue.startsWith('$mqtt.to.')),
      []
    )
    for (const name of ['subscriptions', 'in-flight', 'retained', 'damaged']) {
      const keys: string[] = []
      for await (const [key] of (await host.store(name)).entries()) keys.push(key)
      assert.deepEqual(keys, [], name)
    }
    await host.close()
  }
}

describeKills(APART, kills => {
  const ofServices = new Set(rounds(20, 0.5).map(({ name }) => name))
  for (const { name, random } of rounds(20)) {
    it(`keeps them when the broker is killed (${name})`, () => kills.broker(random))
    it(`keeps them when a gateway is killed (${name})`, () => kills.gateway(random))
    if (ofServices.has(name))
      it(`keeps them when the active service is killed (${name})`, () => kills.service(random))
  }
})

describeKills(TOGETHER, kills => {
  for (const { name, random } of rounds(21, 0.4))
    it(`keeps them when the gateway with the active service is killed (${name})`, () => kills.service(random))
})
