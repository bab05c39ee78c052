// Routes from topic filters to durable queues, kept in the store.
// Rule: a route counts from the call that adds it; the promise says that it is durable.

import { AmqpError } from '../../plugin/errors.js'
import type { Route, Routes } from '../../plugin/host.js'
import { isValidTopicFilter } from '../../plugin/mqtt/topic.js'
import type { DurableQueue } from './durable-queue.js'
import type { DurableQueues } from './durable-queues.js'
import { queueOf, routeKey, ROUTES, routeTextOf } from './keys.js'
import type { Store } from './store.js'
import type { Topics } from './topics.js'

const NOTHING = Buffer.alloc(0)

export class DurableRoutes implements Routes {
  readonly #store: Store
  readonly #queues: DurableQueues
  readonly #topics: Topics
  /** texts of routes */
  readonly #routes = new Map<DurableQueue, Set<string>>()

  private constructor(store: Store, queues: DurableQueues, topics: Topics) {
    this.#store = store
    this.#queues = queues
    this.#topics = topics
  }

  static async load(store: Store, queues: DurableQueues, topics: Topics): Promise<DurableRoutes> {
    const routes = new DurableRoutes(store, queues, topics)
    for await (const [key] of store.entries(ROUTES)) {
      const queue = queues.byId(queueOf(key))
      if (queue !== undefined) routes.#insert(queue, routeTextOf(key))
    }
    return routes
  }

  async add(route: Route): Promise<void> {
    const { filter, queue: name } = route
    const queue = this.#queues.get(name)
    if (queue === undefined) throw new AmqpError('amqp:not-found', `there is no queue ${name}`)
    if (!isValidTopicFilter(filter)) throw new AmqpError('amqp:invalid-field', `${filter} is no topic filter`)
    const text = routeText(route)
    if (this.#routes.get(queue)?.has(text) !== true) {
      this.#insert(queue, text)
      this.#store.put(routeKey(queue.id, text), NOTHING)
    }
    await this.#store.durable()
  }

  async remove(route: Route): Promise<void> {
    const queue = this.#queues.get(route.queue)
    const text = routeText(route)
    if (queue === undefined || this.#routes.get(queue)?.delete(text) !== true) return
    this.#topics.remove(route.filter, queue, route.only)
    this.#store.delete(routeKey(queue.id, text))
    await this.#store.durable()
  }

  async list(name?: string): Promise<readonly Route[]> {
    const routes: Route[] = []
    for (const [queue, texts] of this.#routes) {
      if (name === undefined || queue.name === name) {
        for (const text of texts) routes.push({ ...readRoute(text), queue: queue.name })
      }
    }
    return routes
  }

  /** The store forgets them with the queue. */
  forget(queue: DurableQueue): void {
    for (const text of this.#routes.get(queue) ?? []) {
      const { filter, only } = readRoute(text)
      this.#topics.remove(filter, queue, only)
    }
    this.#routes.delete(queue)
  }

  #insert(queue: DurableQueue, text: string): void {
    let texts = this.#routes.get(queue)
    if (texts === undefined) this.#routes.set(queue, (texts = new Set()))
    texts.add(text)
    const { filter, only } = readRoute(text)
    this.#topics.add(filter, queue, only)
  }
}

/** The filter, and what the route is only for behind a NUL, which no filter has. */
function routeText({ filter, only }: Route): string {
  return only === undefined ? filter : `${filter}\0${only}`
}

function readRoute(text: string): Omit<Route, 'queue'> {
  const [filter = '', only] = text.split('\0')
  return only === 'retained' ? { filter, only } : { filter }
}
