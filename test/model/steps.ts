// What a run does, as a list that its seed alone decides: who connects, publishes, vanishes, what is killed, and when the next begins.
// Rule: a step says what is tried, never what comes of it; whoever is not connected when its step comes lets it pass.

import { Random } from '../fault/random.js'

export type Step = { readonly client: string; readonly then: Pause } & (
  | { readonly do: 'connect'; readonly gateway: 0 | 1; readonly clean: boolean; readonly manner: Manner }
  | { readonly do: 'disconnect' | 'vanish' | 'acknowledge' }
  | { readonly do: 'subscribe'; readonly filters: readonly (readonly [filter: string, qos: 0 | 1])[] }
  | { readonly do: 'unsubscribe'; readonly filters: readonly string[] }
  | {
      readonly do: 'publish'
      readonly topic: string
      readonly qos: 0 | 1
      readonly retain: boolean
      readonly empty: boolean
    }
  | { readonly do: 'kill gateway'; readonly gateway: 0 | 1 }
  | { readonly do: 'kill service' | 'restart' | 'crash' | 'settle' }
)

/** What the next step waits for: turns of the event loop, or the end of this step. */
export type Pause = number | 'done'

/** How a client acknowledges what it gets: at once, or not before the step `acknowledge`. */
export type Manner = 'at once' | 'later'

/** What a run may have beside clients that come, go and talk. */
export type Trouble = 'none' | 'gateways' | 'services' | 'hosts'

/** Of a publication with RETAIN. */
const RETAIN_CHANCE = 0.3
const TOPICS = ['a', 'b', 'a/b', 'a/c', 'a/b/c']
const FILTERS = [...TOPICS, '#', '+', 'a/#', 'a/+', '+/b', '+/+/c']
const PAUSES: readonly Pause[] = [0, 0, 0, 1, 1, 2, 5, 20, 'done', 'done']

/** Which trouble the run of this seed has: most have none, and those that cost time are few. */
export function troubleOf(seed: number): Trouble {
  const slot = seed % 50
  if (slot === 13) return 'services'
  if (slot === 29 || slot === 43) return 'hosts'
  return slot % 7 === 3 ? 'gateways' : 'none'
}

export function stepsOf(seed: number): readonly Step[] {
  return new Plan(seed).steps
}

class Plan {
  readonly steps: Step[] = []
  readonly #random: Random
  readonly #mqtt: readonly string[]
  readonly #amqp: readonly string[]
  readonly #connected = new Set<string>()

  constructor(seed: number) {
    this.#random = new Random(seed)
    const random = this.#random
    this.#mqtt = Array.from({ length: random.between(2, 4) }, (_, index) => `c${index}`)
    this.#amqp = Array.from({ length: random.between(0, 2) }, (_, index) => `q${index}`)
    const trouble = troubleOf(seed)
    for (const client of this.#all) if (random.chance(0.8)) this.#begin(client)
    for (let left = random.between(12, 45); left > 0; left--) this.#step(trouble)
  }

  get #all(): readonly string[] {
    return [...this.#mqtt, ...this.#amqp]
  }

  #begin(client: string): void {
    this.#connect(client)
    if (this.#random.chance(0.8)) this.#subscribe(client)
  }

  #step(trouble: Trouble): void {
    const random = this.#random
    const client = this.#pick(this.#all)
    if (trouble !== 'none' && random.chance(0.06)) return this.#trouble(trouble)
    if (random.chance(0.03)) return this.#add(client, { do: 'settle' }, 'done')
    if (!this.#connected.has(client)) return random.chance(0.7) ? this.#begin(client) : undefined
    const dice = random.between(1, 100)
    if (dice <= 50) return this.#publish(client)
    if (dice <= 62) return this.#subscribe(client)
    if (dice <= 70)
      return this.#add(client, { do: 'unsubscribe', filters: this.#some(2, () => this.#pick(FILTERS)) })
    if (dice <= 76) return this.#add(client, { do: 'acknowledge' })
    // the same client again, while it is there
    if (dice <= 86) return this.#connect(client)
    this.#connected.delete(client)
    return this.#add(client, { do: dice <= 92 ? 'disconnect' : 'vanish' })
  }

  #trouble(trouble: Exclude<Trouble, 'none'>): void {
    const random = this.#random
    const client = ''
    switch (trouble) {
      case 'gateways':
        return this.#add(client, { do: 'kill gateway', gateway: this.#gateway() })
      case 'services':
        return this.#add(client, { do: 'kill service' })
      case 'hosts':
        this.#connected.clear()
        return this.#add(client, { do: random.chance(0.5) ? 'restart' : 'crash' }, 'done')
      default:
        return trouble satisfies never
    }
  }

  #connect(client: string): void {
    const random = this.#random
    this.#connected.add(client)
    const clean = random.chance(this.#amqp.includes(client) ? 0.1 : 0.4)
    const manner = random.chance(0.7) ? 'at once' : 'later'
    this.#add(client, { do: 'connect', gateway: this.#gateway(), clean, manner })
  }

  #subscribe(client: string): void {
    const filters = this.#some(3, () => [this.#pick(FILTERS), this.#random.chance(0.8) ? 1 : 0] as const)
    // a filter once: which of two the client means is a matter of the conformance tests
    this.#add(client, { do: 'subscribe', filters: [...new Map(filters)] })
  }

  #publish(client: string): void {
    const random = this.#random
    const retain = random.chance(RETAIN_CHANCE)
    this.#add(client, {
      ...{ do: 'publish', topic: this.#pick(TOPICS), qos: random.chance(0.8) ? 1 : 0 },
      ...{ retain, empty: retain && random.chance(0.25) }
    })
  }

  #gateway(): 0 | 1 {
    return this.#random.chance(0.5) ? 0 : 1
  }

  #pick<T>(from: readonly T[]): T {
    const picked = from[this.#random.between(0, from.length - 1)]
    if (picked === undefined) throw new RangeError('nothing to pick from')
    return picked
  }

  #some<T>(most: number, make: () => T): readonly T[] {
    return Array.from({ length: this.#random.between(1, most) }, make)
  }

  #add(client: string, step: What, then: Pause = this.#pick(PAUSES)): void {
    this.steps.push({ ...step, client, then } as Step)
  }
}

type Without<T> = T extends unknown ? Omit<T, 'client' | 'then'> : never
type What = Without<Step>

/** A step in one line. */
export function described({ do: act, client, then, ...rest }: Step): string {
  const details = Object.values(rest).map(value => JSON.stringify(value))
  return [client, act, ...details, `[${then}]`].filter(part => part !== '').join(' ')
}
