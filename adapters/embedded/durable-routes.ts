// Routes from topic filters to durable queues, kept in the store.
// Rule: a route counts from the call that adds it; the promise says that it is durable.

import { AmqpError } from '../../plugin/errors.js'
import type { Route, Routes } from '../../plugin/host.js'
import { isValidTopicFilter } from '../../plugin/mqtt/topic.js'
import type { DurableQueue } from './durable-queue.js'
import type { DurableQueues } from './durable-queues.js'
import { filterOf, queueOf, routeKey, ROUTES } from './keys.js'
import type { Store } from './store.js'
import type { Topics } from './topics.js'

const NOTHING = Buffer.alloc(0)

export class DurableRoutes implements Routes {
  readonly #store: Store
  readonly #queues: DurableQueues
  readonly #topics: Topics
  readonly #filters = new Map<DurableQueue, Set<string>>()

  private constructor(store: Store, queues: DurableQueues, topics: Topics) {
    this.#store = store
    this.#queues = queues
    this.#topics = topics
  }

  static async load(store: Store, queues: DurableQueues, topics: Topics): Promise<DurableRoutes> {
    const routes = new DurableRoutes(store, queues, topics)
    for await (const [key] of store.entries(ROUTES)) {
      const queue = queues.byId(queueOf(key))
      if (queue !== undefined) routes.#insert(queue, filterOf(key))
    }
    return routes
  }

  async add({ filter, queue: name }: Route): Promise<void> {
    const queue = this.#queues.get(name)
    if (queue === undefined) throw new AmqpError('amqp:not-found', `there is no queue ${name}`)
    if (!isValidTopicFilter(filter)) throw new AmqpError('amqp:invalid-field', `${filter} is no topic filter`)
    if (this.#filters.get(queue)?.has(filter) !== true) {
      this.#insert(queue, filter)
      this.#store.put(routeKey(queue.id, filter), NOTHING)
    }
    await this.#store.durable()
  }

  async remove({ filter, queue: name }: Route): Promise<void> {
    const queue = this.#queues.get(name)
    if (queue === undefined || this.#filters.get(queue)?.delete(filter) !== true) return
    this.#topics.remove(filter, queue)
    this.#store.delete(routeKey(queue.id, filter))
    await this.#store.durable()
  }

  async list(name?: string): Promise<readonly Route[]> {
    const routes: Route[] = []
    for (const [queue, filters] of this.#filters) {
      if (name === undefined || queue.name === name) {
        for (const filter of filters) routes.push({ filter, queue: queue.name })
      }
    }
    return routes
  }

  /** The store forgets them with the queue. */
  forget(queue: DurableQueue): void {
    for (const filter of this.#filters.get(queue) ?? []) this.#topics.remove(filter, queue)
    this.#filters.delete(queue)
  }

  #insert(queue: DurableQueue, filter: string): void {
    let filters = this.#filters.get(queue)
    if (filters === undefined) this.#filters.set(queue, (filters = new Set()))
    filters.add(filter)
    this.#topics.add(filter, queue)
  }
}
