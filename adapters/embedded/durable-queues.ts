// The durable queues of a space: made, found, deleted, and there again after a restart.
// Rule: a queue's id is never used again; of a deleted queue nothing comes back, wherever the process ended.

import { AmqpError } from '../../plugin/errors.js'
import type { Logger, Message, QueueLimits, Queues } from '../../plugin/host.js'
import { isOwnedAddress } from '../../plugin/messages/addresses.js'
import { DEAD_LETTER_QUEUE, DurableQueue, type QueueContext } from './durable-queue.js'
import type { EntryLog } from './entry-log.js'
import {
  deletedKey,
  DELETED_QUEUES,
  endOfQueueKey,
  NEXT_QUEUE_KEY,
  queueKey,
  queueOf,
  queueRanges,
  QUEUES,
  STATES
} from './keys.js'
import type { DeliveryTurns } from './delivery-turns.js'
import type { Limits } from './limits.js'
import { QueueBounds } from './queue-bounds.js'
import type { Store } from './store.js'

export interface DurableQueuesOptions {
  readonly entries: EntryLog
  readonly limits: Limits
  readonly turns: DeliveryTurns
  readonly now: () => number
  readonly log: Logger
  /** The queue is gone: routes to it go too. */
  readonly onDeleted: (queue: DurableQueue) => void
}

export class DurableQueues implements Queues {
  readonly #options: DurableQueuesOptions
  readonly #store: Store
  readonly #context: QueueContext
  readonly #byName = new Map<string, DurableQueue>()
  readonly #bounds = new QueueBounds(this.#byName)
  readonly #byId = new Map<number, DurableQueue>()
  /** removals of deleted queues' contents under way */
  readonly #clearing = new Set<Promise<void>>()
  #nextId = 1

  private constructor(options: DurableQueuesOptions) {
    this.#options = options
    this.#store = options.entries.store
    const { entries, limits, turns, now, log } = options
    const deadLetter = (message: Message): void => {
      this.ensure(DEAD_LETTER_QUEUE).enqueue(message, Infinity, true)
    }
    this.#context = { entries, limits, turns, now, log, deadLetter }
  }

  static async load(options: DurableQueuesOptions): Promise<DurableQueues> {
    const queues = new DurableQueues(options)
    const { store } = options.entries
    queues.#nextId = (await store.get(NEXT_QUEUE_KEY))?.readUInt32BE() ?? 1
    const states = new Map<number, Buffer>()
    for await (const [key, value] of store.entries(STATES)) states.set(queueOf(key), value)
    for await (const [key, value] of store.entries(QUEUES)) {
      queues.#open(queueOf(key), value.toString(), states.get(queueOf(key)))
    }
    for await (const [key] of store.entries(DELETED_QUEUES)) queues.#clear(queueOf(key))
    return queues
  }

  get size(): number {
    return this.#byName.size
  }

  get(name: string): DurableQueue | undefined {
    return this.#byName.get(name)
  }

  byId(id: number): DurableQueue | undefined {
    return this.#byId.get(id)
  }

  /** The queue, made if it is not there; it is durable when the store's present batch is. */
  ensure(name: string): DurableQueue {
    const existing = this.#byName.get(name)
    if (existing !== undefined) return existing
    const id = this.#nextId++
    const next = Buffer.alloc(4)
    next.writeUInt32BE(this.#nextId)
    this.#store.put(NEXT_QUEUE_KEY, next)
    this.#store.put(queueKey(id), Buffer.from(name))
    this.#store.put(endOfQueueKey(id), Buffer.alloc(0))
    return this.#open(id, name, undefined)
  }

  async create(name: string): Promise<void> {
    if (!isOwnedAddress(name))
      throw new AmqpError('amqp:not-allowed', `${name} is no name for a queue of the plugin`)
    this.ensure(name)
    await this.#store.durable()
  }

  async delete(name: string): Promise<void> {
    const queue = this.#byName.get(name)
    if (queue === undefined) return
    this.#byName.delete(name)
    this.#byId.delete(queue.id)
    this.#store.delete(queueKey(queue.id))
    this.#store.put(deletedKey(queue.id), Buffer.alloc(0))
    this.#options.onDeleted(queue)
    this.#bounds.onDeleted(queue)
    queue.delete()
    await this.#store.durable()
    this.#clear(queue.id)
  }

  async closeConsumers(name: string): Promise<void> {
    const description = `the receivers of ${name} were closed`
    this.#byName.get(name)?.endConsumers({ condition: 'amqp:resource-deleted', description })
  }

  async list(prefix: string): Promise<readonly string[]> {
    return [...this.#byName.keys()].filter(name => name.startsWith(prefix))
  }

  async unattended(prefix: string): Promise<readonly string[]> {
    return [...this.#byName.values()].flatMap(({ name, unattended }) =>
      unattended && name.startsWith(prefix) ? name : []
    )
  }

  async limit(prefix: string, limits: QueueLimits): Promise<void> {
    this.#bounds.limit(prefix, limits)
  }

  async dropped(prefix: string): Promise<number> {
    return this.#bounds.dropped(prefix)
  }

  /** All receivers have gone; what only memory has is put into the store's last batch. */
  async close(): Promise<void> {
    await Promise.all(this.#clearing)
    for (const queue of this.#byName.values()) queue.close()
  }

  #open(id: number, name: string, state: Buffer | undefined): DurableQueue {
    const queue = new DurableQueue(this.#context, name, id, state)
    this.#byName.set(name, queue)
    this.#byId.set(id, queue)
    this.#bounds.onMade(queue)
    return queue
  }

  #clear(id: number): void {
    const clearing = this.#clearAll(id).catch((error: unknown) => {
      // the mark is still there: the next start tries again
      this.#options.log.error(
        { err: error, queue: id },
        'the messages of a deleted queue could not be removed'
      )
    })
    this.#clearing.add(clearing)
    void clearing.then(() => this.#clearing.delete(clearing))
  }

  async #clearAll(id: number): Promise<void> {
    for (const range of queueRanges(id)) await this.#store.clear(range)
    this.#store.delete(deletedKey(id))
  }
}
