// A durable queue: who receives from it, and what becomes of each message.
// Rule: what is accepted is removed, what is rejected is kept elsewhere, all else stays; a restart changes none of that.

import { AmqpError } from '../../plugin/errors.js'
import type { LinkError, Logger, Message, Outcome, QueueLimits } from '../../plugin/host.js'
import { Browser } from './browser.js'
import type { Attachment, ConsumerOptions } from './consumer.js'
import type { DeliveryTurns } from './delivery-turns.js'
import { Dispatch, type DispatchOwner } from './dispatch.js'
import { bytesOf, type Entry } from './entry.js'
import type { EntryLog } from './entry-log.js'
import type { Limits } from './limits.js'
import { QueueState, type QueueStateOwner } from './queue-state.js'
import { QueueStock } from './queue-stock.js'
import { encodeMessage } from '../rhea/message.js'
import { QueueWindow, type QueueWindowOwner, type Safe } from './queue-window.js'

/** Rejected messages of all queues. */
export const DEAD_LETTER_QUEUE = 'DLQ'

/** What all queues of a space share. */
export interface QueueContext {
  readonly entries: EntryLog
  readonly limits: Limits
  readonly turns: DeliveryTurns
  readonly now: () => number
  readonly log: Logger
  /** Keeps a rejected message in DEAD_LETTER_QUEUE. */
  readonly deadLetter: (message: Message) => void
}

export class DurableQueue implements DispatchOwner, QueueStateOwner, QueueWindowOwner {
  readonly name: string
  readonly id: number
  /** the last publication that it was matched with (topics.ts) */
  mark = 0
  /** what it may hold; undefined: no bounds */
  limits: QueueLimits | undefined
  /** messages that `limits` kept out */
  dropped = 0
  readonly stock: QueueStock
  readonly #context: QueueContext
  readonly #state: QueueState
  readonly #dispatch: Dispatch
  readonly #window: QueueWindow
  #browsers: Set<Browser> | undefined
  #closed = false

  /** `state`: what the store has of it; undefined: the queue is new. */
  constructor(context: QueueContext, name: string, id: number, state: Buffer | undefined) {
    const { entries, limits, turns } = context
    this.name = name
    this.id = id
    this.#context = context
    this.#dispatch = new Dispatch(this, limits.unsettled, turns)
    this.#state = new QueueState(this, entries.store, limits.headLag, state)
    this.stock = new QueueStock(entries, id, this.#state)
    this.#window = new QueueWindow(this, entries, limits, this.#state, this.#dispatch)
  }

  /** other than that of a queue of the same name before or after it */
  get idPrefix(): string {
    return `${this.id}-`
  }

  /** nobody receives from it */
  get unattended(): boolean {
    return this.#dispatch.idle
  }

  /** messages that memory has, delivered or not */
  get inMemory(): number {
    return this.#dispatch.entries().length
  }

  /** Takes a message, or drops it over `limits`; what is to be `stored` is put into the store's present batch. */
  enqueue(message: Message, expiresAt: number, stored = message.durable): Safe {
    if (this.limits !== undefined) {
      if (stored) message = encodeMessage(message)
      if (this.stock.isFull(this.limits, bytesOf(message))) {
        this.dropped++
        return 'now'
      }
    }
    return this.#window.add(message, expiresAt, stored)
  }

  /** Throws `amqp:resource-locked`. */
  attach(options: ConsumerOptions): Attachment {
    if (options.browse === true) return this.#browse(options)
    if (this.#dispatch.locked(options)) {
      throw new AmqpError('amqp:resource-locked', `queue ${this.name} has another receiver`)
    }
    const consumer = this.#dispatch.attach(options)
    this.#window.fill()
    return {
      addCredit: credit => consumer.addCredit(credit),
      drain: () => consumer.drain(),
      detach: failed => {
        consumer.detach(failed)
        this.#window.unload()
      }
    }
  }

  endConsumers(error: LinkError): void {
    this.#dispatch.endConsumers(error)
    for (const browser of [...(this.#browsers ?? [])]) browser.end(error)
    this.#window.unload()
  }

  /** What is in the store is the caller's to remove. */
  delete(): void {
    this.#closed = true
    this.stock.stop()
    this.#window.close(false)
    this.endConsumers({ condition: 'amqp:resource-deleted', description: `queue ${this.name} was deleted` })
  }

  /** The process ends in order; all receivers have gone. */
  close(): void {
    this.#closed = true
    this.stock.stop()
    this.#window.close(true)
    this.#state.close(this.stock.stock)
  }

  now(): number {
    return this.#context.now()
  }

  removed(entry: Entry, outcome: Outcome | undefined): void {
    if (this.#closed) return
    this.stock.remove(entry.sequence, entry.message)
    const { deadLetter, entries } = this.#context
    if (outcome?.type === 'rejected' && this.name !== DEAD_LETTER_QUEUE) deadLetter(entry.message)
    if (!entry.stored) return
    entries.delete(this.id, entry)
    this.#state.onRemoved()
  }

  failed(entry: Entry): void {
    if (!entry.stored || this.#closed) return
    entry.counted = true
    this.#context.entries.putFailures(this.id, entry.sequence, entry.failures)
  }

  delivered(entry: Entry): void {
    if (entry.stored) this.#state.onDelivered(entry.sequence)
  }

  ran(): void {
    this.#window.fill()
  }

  expecting(): boolean {
    return this.#window.expecting
  }

  broken(error: unknown): void {
    this.#context.log.error({ err: error, queue: this.name }, 'a receiver of a queue failed')
  }

  head(): number {
    return this.#window.head()
  }

  outstanding(): boolean {
    return this.#dispatch.outstanding
  }

  #browse(options: ConsumerOptions): Browser {
    const { queueMessages: limit, queueBytes: bytes } = this.#context.limits
    const { from: first, to } = this.#window.unloaded
    let from = first
    const more = async (): Promise<readonly Entry[]> => {
      let entries: readonly Entry[] = []
      while (entries.length === 0 && from <= to) {
        const read = await this.#window.read({ from, to, limit, bytes })
        from = read.last + 1
        entries = read.entries
      }
      return entries
    }
    const browser: Browser = new Browser(
      {
        idPrefix: this.idPrefix,
        entries: this.#dispatch.entries(),
        more,
        now: () => this.now(),
        onUnreadable: error => this.unreadable(error),
        onDetached: () => this.#browsers?.delete(browser)
      },
      options
    )
    this.#browsers ??= new Set()
    this.#browsers.add(browser)
    return browser
  }

  unreadable(error: unknown): void {
    if (this.#closed) return
    this.#context.log.error(
      { err: error, queue: this.name },
      'a queue cannot be read: its receivers are closed'
    )
    this.endConsumers({ condition: 'amqp:internal-error', description: `queue ${this.name} cannot be read` })
  }
}
