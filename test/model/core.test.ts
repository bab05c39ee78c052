// Random runs of session cores on a host of plain objects, without sockets, timers or promises, against the same model as the whole.
// Rule: a seed is all of a run. MODEL_SEED=n does that one alone; SOAK=1 does many more; MODEL_FIRST and MODEL_SEEDS as for the whole.

import { Random } from '../fault/random.js'
import { chronicle } from './chronicle.js'
import { CoreHost } from './core-host.js'
import { CoreLink } from './core-link.js'
import { deliveryFaults, missing, named } from './delivery-rules.js'
import { History } from './history.js'

const ONE = process.env['MODEL_SEED']
const FIRST = Number(ONE ?? process.env['MODEL_FIRST'] ?? 1)
const COUNT = Number(process.env['MODEL_SEEDS'] ?? (process.env['SOAK'] === undefined ? 20_000 : 1_000_000))
const LAST = ONE === undefined ? FIRST + COUNT - 1 : FIRST

const TOPICS = ['a', 'b', 'a/b']
const FILTERS = [...TOPICS, '#', 'a/#', '+']

class CoreRun {
  readonly history = new History()
  readonly #random: Random
  readonly #host = new CoreHost()
  /** the latest connection of each client */
  readonly #links = new Map<string, CoreLink>()
  /** all that may still have something to do */
  readonly #all: CoreLink[] = []

  constructor(seed: number) {
    this.#random = new Random(seed)
  }

  run(): void {
    for (const clientId of ['c0', 'c1', 'c2']) this.#begin(clientId)
    for (let left = this.#random.between(20, 70); left > 0; left--) this.#step()
    this.#finish()
    for (const session of this.history.sessions)
      for (const fault of deliveryFaults(this.history, session)) this.history.fault(fault)
  }

  #step(): void {
    const random = this.#random
    const clientId = this.#pick(['c0', 'c1', 'c2'])
    const link = this.#links.get(clientId)
    const dice = random.between(1, 100)
    if (dice <= 55) return this.#someWork()
    if (link?.usable !== true) return dice <= 75 ? this.#begin(clientId) : undefined
    if (dice <= 75) return link.publish(this.#pick(TOPICS), random.chance(0.8) ? 1 : 0)
    if (dice <= 80) return link.change([[this.#pick(FILTERS), random.chance(0.8) ? 1 : 0]])
    if (dice <= 83) return link.change([[this.#pick(FILTERS), undefined]])
    if (dice <= 87) return link.acknowledge(random.between(1, 3))
    if (dice <= 89) return link.congest(random.chance(0.5))
    if (dice <= 91) {
      this.history.deaths.push(this.history.now())
      return link.lose()
    }
    if (dice <= 94) return this.#begin(clientId)
    if (dice <= 96) return link.disconnect()
    if (dice <= 98) return link.vanish()
    return link.kill()
  }

  #begin(clientId: string): void {
    const random = this.#random
    const before = this.#links.get(clientId)
    // one that was not accepted is given up first
    if (before !== undefined && before.connection.session === undefined) before.vanish()
    this.#connect(clientId, random.chance(0.3))
    if (random.chance(0.7)) {
      this.#drain()
      this.#links.get(clientId)?.change([[this.#pick(FILTERS), 1]])
    }
  }

  #connect(clientId: string, clean: boolean): void {
    const manner = this.#random.chance(0.6) ? 'at once' : 'later'
    const before = this.#links.get(clientId)
    const options = { history: this.history, host: this.#host, clientId, clean, manner, before } as const
    const link = new CoreLink({ ...options })
    this.#links.set(clientId, link)
    this.#all.push(link)
  }

  #someWork(): void {
    const link = this.#all[this.#random.between(0, this.#all.length - 1)]
    if (this.#random.chance(0.5)) link?.proceed()
    else link?.read()
  }

  /** All that can be done is done. */
  #drain(): void {
    while (this.#all.some(({ busy }) => busy))
      for (const link of this.#all) {
        link.proceed()
        link.read()
      }
  }

  #finish(): void {
    for (const link of this.#links.values()) if (link.connection.session === undefined) link.vanish()
    this.#drain()
    const remaining = this.history.remaining()
    for (const [clientId, link] of this.#links)
      if (!link.usable && remaining.includes(clientId)) this.#connect(clientId, false)
    this.#drain()
    for (const link of this.#links.values()) if (link.usable) link.hurry()
    this.#drain()
    for (const { connection } of this.#links.values()) {
      const { session } = connection
      if (session === undefined || session.goneAt !== undefined || connection.ending !== undefined) continue
      for (const publication of missing(this.history, session))
        this.history.fault(`${connection.name} has not got ${named(publication)}`)
    }
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.between(0, from.length - 1)] as T
  }
}

describe('session cores, whatever comes and goes', () => {
  it(`give everybody what they must get, and nothing else, in ${LAST - FIRST + 1} runs`, function () {
    this.timeout(20_000 + (LAST - FIRST) * 2)
    for (let seed = FIRST; seed <= LAST; seed++) {
      const core = new CoreRun(seed)
      try {
        core.run()
      } catch (error) {
        core.history.fault(error instanceof Error ? (error.stack ?? error.message) : String(error))
      }
      const { faults } = core.history
      if (faults.length > 0)
        throw new Error(
          [`MODEL_SEED=${seed}`, ...faults, 'what happened:', ...chronicle(core.history)].join('\n  ')
        )
    }
  })
})
