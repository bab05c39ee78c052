// A durable queue: who receives from it, and what becomes of each message.
// Rule: what is accepted is removed, what is rejected is kept elsewhere, all else stays; a restart changes none of that.

import { AmqpError } from '../../plugin/errors.js'
import type { LinkError, Logger, Message, Outcome } from '../../plugin/host.js'
import { Browser } from './browser.js'
import type { Attachment, ConsumerOptions } from './consumer.js'
import { Dispatch, type DispatchOwner } from './dispatch.js'
import type { Entry } from './entry.js'
import type { EntryLog } from './entry-log.js'
import type { Limits } from './limits.js'
import { QueueState } from './queue-state.js'
import { QueueWindow, type Safe } from './queue-window.js'

export interface DurableQueueOptions {
  readonly name: string
  readonly id: number
  /** what the store has of it; undefined: the queue is new */
  readonly state: Buffer | undefined
  readonly entries: EntryLog
  readonly limits: Limits
  readonly now: () => number
  readonly log: Logger
  /** Keeps a rejected message elsewhere; undefined: it is dropped. */
  readonly deadLetter: ((message: Message) => void) | undefined
}

export class DurableQueue implements DispatchOwner {
  readonly name: string
  readonly id: number
  /** other than that of a queue of the same name before or after it */
  readonly idPrefix: string
  /** the last publication that it was matched with (topics.ts) */
  mark = 0
  readonly #options: DurableQueueOptions
  readonly #entries: EntryLog
  readonly #state: QueueState
  readonly #dispatch: Dispatch
  readonly #window: QueueWindow
  readonly #browsers = new Set<Browser>()
  #closed = false

  constructor(options: DurableQueueOptions) {
    const { name, id: queue, state: stored, entries, limits } = options
    this.name = name
    this.id = queue
    this.idPrefix = `${queue}-`
    this.#options = options
    this.#entries = entries
    const dispatch = new Dispatch(this, limits.unsettled)
    this.#dispatch = dispatch
    const state = new QueueState(entries.store, queue, stored, {
      head: () => this.#window.head(),
      outstanding: () => dispatch.outstanding,
      headLag: limits.headLag
    })
    this.#state = state
    const onUnreadable = (error: unknown): void => this.#onUnreadable(error)
    this.#window = new QueueWindow({ queue, entries, state, dispatch, limits, onUnreadable })
  }

  /** Takes a message; what is to be `stored` is put into the store's present batch. */
  enqueue(message: Message, expiresAt: number, stored = message.durable): Safe {
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
    for (const browser of [...this.#browsers]) browser.end(error)
    this.#window.unload()
  }

  /** What is in the store is the caller's to remove. */
  delete(): void {
    this.#closed = true
    this.#window.close(false)
    this.endConsumers({ condition: 'amqp:resource-deleted', description: `queue ${this.name} was deleted` })
  }

  /** The process ends in order; all receivers have gone. */
  close(): void {
    this.#closed = true
    this.#window.close(true)
    this.#state.close()
  }

  now(): number {
    return this.#options.now()
  }

  removed(entry: Entry, outcome: Outcome | undefined): void {
    if (this.#closed) return
    if (outcome?.type === 'rejected') this.#options.deadLetter?.(entry.message)
    if (!entry.stored) return
    this.#entries.delete(this.id, entry)
    this.#state.onRemoved()
  }

  failed(entry: Entry): void {
    if (!entry.stored || this.#closed) return
    entry.counted = true
    this.#entries.putFailures(this.id, entry.sequence, entry.failures)
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
    this.#options.log.error({ err: error, queue: this.name }, 'a receiver of a queue failed')
  }

  #browse(options: ConsumerOptions): Browser {
    const { queueMessages: limit, queueBytes: bytes } = this.#options.limits
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
        onUnreadable: error => this.#onUnreadable(error),
        onDetached: () => this.#browsers.delete(browser)
      },
      options
    )
    this.#browsers.add(browser)
    return browser
  }

  #onUnreadable(error: unknown): void {
    if (this.#closed) return
    this.#options.log.error(
      { err: error, queue: this.name },
      'a queue cannot be read: its receivers are closed'
    )
    this.endConsumers({ condition: 'amqp:internal-error', description: `queue ${this.name} cannot be read` })
  }
}
