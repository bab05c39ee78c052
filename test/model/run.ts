// One run: the steps of a seed on a world, and at its end everything that must be so.
// Rule: what was begun is finished before anything is judged. A run leaves nothing behind but what it is blamed for.

import { setImmediate } from 'node:timers/promises'
import { IN_FLIGHT_STORE } from '../../plugin/messages/in-flight.js'
import { RETAINED_STORE } from '../../plugin/messages/retained.js'
import { SUBSCRIPTION_STORE } from '../../plugin/services/subscription-records.js'
import { Changes } from '../fixtures/changes.js'
import { Actor, type ActorOptions } from './actor.js'
import { deliveryFaults, missing, named } from './delivery-rules.js'
import { History, type Session } from './history.js'
import { missingRetained, retainedFaults } from './retained-rules.js'
import type { Step } from './steps.js'
import type { World } from './world.js'

/** After this long what is left behind is left for good. */
const PATIENCE_MS = 2000
/** A run that takes longer hangs. */
const RUN_MS = 20_000

/** Does the steps; what was wrong, in words. `name`: of this run alone in its world. */
export async function run(world: World, name: string, steps: readonly Step[]): Promise<History> {
  const scene = new Scene(world, name)
  try {
    await inTime(scene.play(steps), () => scene.waiting)
  } catch (error) {
    scene.history.fault(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  for (const { fields, message } of await world.takeErrors())
    scene.history.fault(`logged: ${message} ${JSON.stringify(fields, shown)}`)
  return scene.history
}

/** Rejects with what is waited for where it takes too long. */
async function inTime(played: Promise<void>, waiting: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`it does not come to its end: ${waiting()}`)), RUN_MS)
  })
  await Promise.race([played, late]).finally(() => clearTimeout(timer))
}

const shown = (_key: string, value: unknown): unknown =>
  value instanceof Error ? (value.stack ?? value.message) : typeof value === 'bigint' ? String(value) : value

class Scene {
  readonly history = new History()
  readonly #world: World
  readonly #options: ActorOptions
  readonly #actors = new Map<string, Actor>()
  readonly #changes = new Changes()
  readonly #begun: Promise<void>[] = []

  constructor(world: World, prefix: string) {
    this.#world = world
    const onReceipt = (): void => this.#changes.changed()
    this.#options = { world, history: this.history, prefix, onReceipt }
  }

  async play(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.begin(step)
    await this.finish()
  }

  /** Who waits for what. */
  get waiting(): string {
    const waiting = [...this.#actors.values()].filter(actor => actor.waiting !== '')
    return waiting.map(({ clientId, waiting: what }) => `${clientId} for ${what}`).join('; ')
  }

  /** Resolves when the next step may begin. */
  async begin(step: Step): Promise<void> {
    const done = this.#perform(step)
    this.#begun.push(done)
    if (step.then === 'done') await done
    else for (let turns = step.then; turns > 0; turns--) await setImmediate()
  }

  /** All are there again and have what they must have; then all go, and nothing is left of them. */
  async finish(): Promise<void> {
    await Promise.all(this.#begun)
    await this.#world.up()
    const remaining = new Set(this.history.remaining())
    for (const [index, actor] of [...this.#actors.values()].entries())
      if (!actor.usable && remaining.has(actor.clientId))
        await actor.connect({ gateway: (index % 2) as 0 | 1, clean: false, manner: 'at once' })
    await this.#settle()
    await this.#mark()
    await this.#watch()
    this.#judge()
    await this.#leave()
    await this.#findRemains()
  }

  async #perform(step: Step): Promise<void> {
    const { crashes, deaths } = this.history
    switch (step.do) {
      case 'kill gateway':
        deaths.push(this.history.now())
        return this.#world.killGateway(step.gateway)
      case 'kill service':
        deaths.push(this.history.now())
        return this.#world.killService()
      case 'restart':
        deaths.push(this.history.now())
        return this.#world.restart()
      case 'crash':
        crashes.push(this.history.now())
        deaths.push(...crashes.slice(-1))
        return this.#world.crash()
      case 'settle':
        return this.#settle()
      default:
        return this.#actor(step.client).perform(step)
    }
  }

  #actor(name: string): Actor {
    let actor = this.#actors.get(name)
    if (actor === undefined) this.#actors.set(name, (actor = new Actor(name, this.#options)))
    return actor
  }

  async #settle(): Promise<void> {
    await Promise.all([...this.#actors.values()].map(actor => actor.settle()))
    await this.#changes.until(
      () => (this.#owed().length === 0 ? true : undefined),
      'end of what must come',
      () => this.#owed().join('; ')
    )
  }

  /** What those that are connected must still get. */
  #owed(): string[] {
    return this.history.sessions
      .filter(listens)
      .flatMap(session => [
        ...missing(this.history, session).map(
          publication => `${session.clientId} has not got ${named(publication)}`
        ),
        ...missingRetained(this.history, session).map(what => `${session.clientId} has not got ${what}`)
      ])
  }

  /** A message to everybody that comes after all others: what comes too much has come by then. */
  async #mark(): Promise<void> {
    const listeners = [...this.#actors.values()].filter(({ usable }) => usable)
    await Promise.all(listeners.map(actor => actor.subscribe('mark')))
    await this.#with('marker', actor => actor.publish('mark'))
    await this.#settle()
    await Promise.all([...this.#actors.values()].map(actor => actor.settle()))
  }

  /** New subscribers at both gateways get what is retained. */
  async #watch(): Promise<void> {
    const watchers = ['cw0', 'cw1'].map(name => this.#actor(name))
    for (const [index, watcher] of watchers.entries()) {
      await watcher.connect({ gateway: (index % 2) as 0 | 1, clean: true, manner: 'at once' })
      await watcher.subscribe('#')
    }
    await this.#settle()
    await this.#with('marker', actor => actor.publish('mark'))
    await this.#settle()
  }

  #judge(): void {
    for (const session of this.history.sessions) {
      for (const fault of deliveryFaults(this.history, session)) this.history.fault(fault)
      for (const fault of retainedFaults(this.history, session)) this.history.fault(fault)
    }
  }

  /** Ends all sessions, and removes what is retained. */
  async #leave(): Promise<void> {
    const { prefix } = this.#options
    const topics = new Set(this.history.publications.filter(({ retain }) => retain).map(({ topic }) => topic))
    await this.#with('remover', async actor => {
      for (const topic of topics)
        await actor.publish(topic.slice(prefix.length + 1), { retain: true, empty: true })
    })
    await Promise.all([...this.#actors.values()].map(actor => actor.remove()))
  }

  /** Nothing is left of these clients and topics, as soon as the service has done what it was told. */
  async #findRemains(): Promise<void> {
    const giveUpAt = performance.now() + PATIENCE_MS
    let remains = await this.#remains()
    while (remains.length > 0 && performance.now() < giveUpAt) {
      await setImmediate()
      remains = await this.#remains()
    }
    for (const name of remains) this.history.fault(`left behind: ${name}`)
  }

  /** Queues, routes and records. */
  async #remains(): Promise<string[]> {
    const { space } = this.#world
    const { prefix } = this.#options
    const found = [...(await space.queues.list('$mqtt.'))]
    for (const { filter, queue } of await space.routes.list()) found.push(`${filter} -> ${queue}`)
    for (const name of [SUBSCRIPTION_STORE, IN_FLIGHT_STORE, RETAINED_STORE])
      for await (const [key] of (await space.store(name)).entries()) found.push(`${key} in ${name}`)
    return found.filter(name => name.includes(`${prefix}-`) || name.startsWith(`${prefix}/`))
  }

  async #with(name: string, act: (actor: Actor) => Promise<void>): Promise<void> {
    const actor = new Actor(`c-${name}`, this.#options)
    await actor.connect({ gateway: 1, clean: true, manner: 'at once' })
    await act(actor)
    await actor.disconnect()
  }
}

/** Somebody has the session now, and nobody wants that to end. */
const listens = ({ connections, goneAt }: Session): boolean => {
  const last = connections.at(-1)
  return goneAt === undefined && last?.ending === undefined && last?.endedAt === undefined
}
