// An address space in memory: topics, queues, routes, stores and served addresses, as far as MQTT clients need them.
// Rule: it has what the core part of the contract suite asks for; nothing outlives the process.

import { AmqpError } from '../plugin/errors.js'
import type {
  AddressSpace,
  Authentication,
  Closeable,
  Credentials,
  KeyedStore,
  LinkClosed,
  Message,
  Principal,
  QueueLimits,
  Queues,
  Route,
  Routes,
  ServedLink,
  ServedReader,
  Source,
  SourceOptions
} from '../plugin/host.js'
import { isOwnedAddress } from '../plugin/messages/addresses.js'
import { hasRetain } from '../plugin/messages/publish.js'
import { isValidTopicFilter, matches } from '../plugin/mqtt/topic.js'
import { MemoryConnection } from './memory-connection.js'
import { MemoryQueue, Taker } from './memory-queue.js'
import { UNSERVED } from './memory-reader.js'

/** Says where a publication was sent to. */
const ORIGIN = 'x-opt-ORIG-ADDRESS'

/** Ends a link; `tell`: not by the side that opened it. */
export type End = (closed: LinkClosed, tell?: boolean) => void
export interface Served {
  readonly onLink: (link: ServedLink) => void
  readonly ends: Set<End>
}

export interface ServedPrefix {
  readonly onReader: (reader: ServedReader) => void
  readonly ends: Set<End>
}

export class MemorySpace implements AddressSpace {
  readonly type = 'brokered'
  readonly addresses = []
  readonly capabilities = {
    ...{ relay: false, browse: false, detachError: true, threePhase: false },
    ...{ durableDedup: false, delay: false, noReceiver: false, nativeMqtt: false }
  }
  readonly name: string
  readonly mqtt: unknown
  readonly authenticate: (credentials: Credentials) => Promise<Authentication>
  /** by name */
  readonly nodes = new Map<string, MemoryQueue>()
  readonly served = new Map<string, Served>()
  /** by prefix */
  readonly #readers = new Map<string, ServedPrefix>()
  readonly #subscriptions = new Map<MemoryQueue, string>()
  readonly #stores = new Map<string, KeyedStore>()
  #routes: readonly Route[] = []
  /** the last call first */
  #limits: readonly { readonly prefix: string; readonly limits: QueueLimits }[] = []

  /** `authenticate` knows the users. */
  constructor(name: string, mqtt: unknown, authenticate: AddressSpace['authenticate']) {
    this.name = name
    this.mqtt = mqtt
    this.authenticate = authenticate
  }

  /** To every subscription and route that matches, once to each queue. */
  publish(topic: string, message: Message): void {
    const named = sentTo(topic, message)
    const queues = [...this.#subscriptions].flatMap(([queue, filter]) =>
      matches(filter, topic) ? queue : []
    )
    const routed = this.#routes.flatMap(route =>
      takes(route, topic, message) ? (this.nodes.get(route.queue) ?? []) : []
    )
    for (const queue of new Set([...queues, ...routed])) queue.push(named)
  }

  subscribe(filter: string): MemoryQueue {
    const queue = new MemoryQueue()
    this.#subscriptions.set(queue, filter)
    return queue
  }

  unsubscribe(queue: MemoryQueue): void {
    this.#subscriptions.delete(queue)
  }

  async connect(as: Principal | 'service'): Promise<MemoryConnection> {
    return new MemoryConnection(this, as)
  }

  async serve(address: string, onLink: Served['onLink']): Promise<Closeable> {
    if (this.served.has(address)) throw new AmqpError('amqp:resource-locked', `${address} is served`)
    const served = { onLink, ends: new Set<End>() }
    this.served.set(address, served)
    const close = async (): Promise<void> => {
      this.served.delete(address)
      for (const end of served.ends) end({ cause: 'clean' }, true)
    }
    return { close }
  }

  async serveReaders(prefix: string, onReader: ServedPrefix['onReader']): Promise<Closeable> {
    if (this.#readers.has(prefix)) throw new AmqpError('amqp:resource-locked', `${prefix} is served`)
    const served = { onReader, ends: new Set<End>() }
    this.#readers.set(prefix, served)
    const close = async (): Promise<void> => {
      this.#readers.delete(prefix)
      for (const end of served.ends) end({ cause: 'error', error: UNSERVED }, true)
    }
    return { close }
  }

  readersOf(address: string): ServedPrefix | undefined {
    return [...this.#readers].find(([prefix]) => address.startsWith(prefix))?.[1]
  }

  async source(filter: string, { window, onDelivery }: SourceOptions): Promise<Source> {
    if (!isValidTopicFilter(filter)) throw new AmqpError('amqp:not-found', `no filter ${filter}`)
    const queue = this.subscribe(filter)
    queue.take(new Taker(window, onDelivery))
    const close = (): Promise<void> => {
      this.unsubscribe(queue)
      return queue.empty()
    }
    return { close }
  }

  readonly queues: Queues = {
    create: async name => {
      if (this.nodes.has(name)) return
      const queue = new MemoryQueue()
      queue.limits = this.#limits.find(({ prefix }) => name.startsWith(prefix))?.limits
      this.nodes.set(name, queue)
    },
    delete: async name => {
      this.#routes = this.#routes.filter(({ queue }) => queue !== name)
      this.nodes.get(name)?.closeTakers()
      this.nodes.delete(name)
    },
    closeConsumers: async name => this.nodes.get(name)?.closeTakers(),
    list: async prefix => [...this.nodes.keys()].filter(name => name.startsWith(prefix)),
    unattended: async prefix =>
      (await this.queues.list(prefix)).filter(name => this.nodes.get(name)?.unattended),
    limit: async (prefix, limits) => {
      this.#limits = [{ prefix, limits }, ...this.#limits.filter(each => each.prefix !== prefix)]
      for (const [name, queue] of this.nodes) if (name.startsWith(prefix)) queue.limits = limits
    },
    dropped: async prefix =>
      [...this.nodes].reduce((sum, [name, { dropped }]) => (name.startsWith(prefix) ? sum + dropped : sum), 0)
  }

  readonly routes: Routes = {
    add: async route => {
      if (!this.nodes.has(route.queue)) throw new AmqpError('amqp:not-found', `no queue ${route.queue}`)
      await this.routes.remove(route)
      this.#routes = [...this.#routes, route]
    },
    remove: async ({ filter, queue, only }) => {
      this.#routes = this.#routes.filter(
        each => each.filter !== filter || each.queue !== queue || each.only !== only
      )
    },
    list: async queue => this.#routes.filter(route => queue === undefined || route.queue === queue)
  }

  async store(name: string): Promise<KeyedStore> {
    const store = this.#stores.get(name) ?? memoryStore()
    this.#stores.set(name, store)
    return store
  }
}

function takes({ filter, only }: Route, topic: string, message: Message): boolean {
  if (only === undefined) return matches(filter, topic)
  return hasRetain(message) && (filter === '#' ? !isOwnedAddress(topic) : matches(filter, topic))
}

const inBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

function memoryStore(): KeyedStore {
  const values = new Map<string, Message>()
  return {
    put: async (key, value) => void values.set(key, value),
    get: async key => values.get(key),
    delete: async key => void values.delete(key),
    async *entries(prefix = '', after) {
      const keys = [...values.keys()].filter(
        key => key.startsWith(prefix) && (after === undefined || inBytes(key, after) > 0)
      )
      for (const key of keys.sort(inBytes)) {
        const value = values.get(key)
        if (value !== undefined) yield [key, value]
      }
    }
  }
}

function sentTo(topic: string, message: Message): Message {
  if (message.properties.to === topic && !message.annotations.has(ORIGIN)) return message
  const { durable, priority, ttlMs, deliveryCount, properties, applicationProperties, body } = message
  const annotations = new Map([...message.annotations, [ORIGIN, topic]])
  return { durable, priority, ttlMs, deliveryCount, annotations, properties, applicationProperties, body }
}
