// One client of a run, over all its connections: it takes its steps one after the other, but for those that cut something off.
// Rule: a step that has no connection to be taken on is let pass.

import { AmqpLink } from './amqp-link.js'
import type { History } from './history.js'
import type { Link, LinkOptions } from './link.js'
import { MqttLink } from './mqtt-link.js'
import type { Step } from './steps.js'
import type { World } from './world.js'

export interface ActorOptions {
  readonly world: World
  readonly history: History
  /** before client ids, and as the first level of topics and filters */
  readonly prefix: string
  readonly onReceipt: () => void
}

type Connect = Pick<Step & { do: 'connect' }, 'gateway' | 'clean' | 'manner'>

export class Actor {
  readonly #options: ActorOptions
  readonly #name: string
  /** the latest connection */
  #link: Link | undefined
  /** former ones that may not have ended yet */
  readonly #former = new Set<Link>()
  #tail: Promise<void> = Promise.resolve()
  #packetId = 0

  constructor(name: string, options: ActorOptions) {
    this.#name = name
    this.#options = options
  }

  get clientId(): string {
    return `${this.#options.prefix}-${this.#name}`
  }

  /** Resolves when the step is done: answered, or cut off. */
  perform(step: Step): Promise<void> {
    switch (step.do) {
      case 'connect':
        return this.#next(() => this.connect(step), true)
      case 'subscribe':
      case 'unsubscribe':
      case 'publish':
        return this.#next(() => this.#send(step))
      case 'disconnect':
        return this.#next(() => this.#usable?.disconnect())
      case 'acknowledge':
        this.#link?.acknowledge()
        return Promise.resolve()
      case 'vanish':
        this.#link?.cut('vanish')
        return Promise.resolve()
      case 'kill gateway':
      case 'kill service':
      case 'restart':
      case 'crash':
      case 'settle':
        throw new Error(`${step.do} is no step of a client`)
      default:
        return step satisfies never
    }
  }

  /** Resolves when the connection is accepted, or has ended. */
  async connect({ gateway, clean, manner }: Connect): Promise<void> {
    const { world, history, onReceipt } = this.#options
    const before = this.#link
    const onOpening = (): void => {
      if (before !== undefined) history.ending(before.connection, 'takeover')
    }
    const options: LinkOptions = { history, clientId: this.clientId, clean, manner, onOpening, onReceipt }
    const link =
      before instanceof MqttLink || (before === undefined && this.#name.startsWith('c'))
        ? await MqttLink.open(world, gateway, options, before)
        : await AmqpLink.open(world, options)
    if (link === undefined) return
    this.#link = link
    await link.opened
    if (before === undefined) return
    // a connection that was never accepted has ended nobody
    if (link.connection.session === undefined) before.cut('vanish')
    else this.#former.add(before)
  }

  /** Everything asked is answered, and what comes is acknowledged at once from now on. */
  async settle(): Promise<void> {
    await this.#tail
    for (const link of this.#former) await link.gone
    this.#former.clear()
    await this.#link?.settle()
  }

  get usable(): boolean {
    return this.#usable !== undefined
  }

  /** What it waits for, in words. */
  get waiting(): string {
    const former = [...this.#former].filter(({ waiting }) => waiting !== undefined)
    const ends = former.map(({ connection }) => `the end of ${connection.name}`)
    return [...ends, this.#link?.waiting ?? ''].filter(text => text !== '').join(', ')
  }

  /** What it would get of these filters is granted to it from now on. */
  async subscribe(...filters: readonly string[]): Promise<void> {
    await this.#usable?.subscribe(
      filters.map(filter => [`${this.#options.prefix}/${filter}`, 1] as const),
      this.#nextPacketId()
    )
  }

  async publish(topic: string, { retain = false, empty = false, qos = 1 as 0 | 1 } = {}): Promise<void> {
    const link = this.#usable
    if (link === undefined) return
    const { prefix, history } = this.#options
    const fields = { topic: `${prefix}/${topic}`, qos, retain, empty, publisher: link.connection }
    await link.publish(history.publish(fields), this.#nextPacketId())
  }

  async disconnect(): Promise<void> {
    await this.#usable?.disconnect()
  }

  /** Ends, and leaves no session. */
  async remove(): Promise<void> {
    await this.connect({ gateway: 0, clean: true, manner: 'at once' })
    await this.settle()
    await this.#usable?.remove()
  }

  get #usable(): Link | undefined {
    return this.#link?.usable === true ? this.#link : undefined
  }

  /** Steps begin in their order; only a connection is waited for. */
  #next(act: () => Promise<void> | undefined, waits = false): Promise<void> {
    let done: Promise<void> | undefined
    const begun = this.#tail.then(() => {
      done = act()
      return waits ? done : undefined
    })
    this.#tail = begun
    return begun.then(() => done)
  }

  #send(step: Step & { do: 'subscribe' | 'unsubscribe' | 'publish' }): Promise<void> | undefined {
    const link = this.#usable
    const { prefix } = this.#options
    if (step.do === 'publish') return this.publish(step.topic, step)
    const packetId = this.#nextPacketId()
    if (step.do === 'unsubscribe')
      return link?.unsubscribe(
        [...new Set(step.filters)].map(filter => `${prefix}/${filter}`),
        packetId
      )
    return link?.subscribe(
      step.filters.map(([filter, qos]) => [`${prefix}/${filter}`, qos] as const),
      packetId
    )
  }

  #nextPacketId(): number {
    return ++this.#packetId
  }
}
