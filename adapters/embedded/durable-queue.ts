// A durable queue: messages in the store, a window of them in memory.
// Rule: a durable message is delivered only after its batch is on disk. While `paged`, memory ends at `#loaded`, and what is
// newer is read from the store when there is room; else memory has everything. Non-durable messages need no store unless paged.

import { AmqpError } from '../../plugin/errors.js'
import type { LinkError, Logger, Message, Outcome } from '../../plugin/host.js'
import { encodeMessage } from '../rhea/message.js'
import { Backlog } from './backlog.js'
import { Browser } from './browser.js'
import type { Attachment, ConsumerOptions } from './consumer.js'
import { Dispatch, type DispatchOwner } from './dispatch.js'
import { Entry } from './entry.js'
import type { EntryLog, EntryRange } from './entry-log.js'
import type { Limits } from './limits.js'
import { QueueState } from './queue-state.js'

/** What waits for the disk is in memory anyway, as far as senders have credit. */
const UNCOMMITTED_WINDOWS = 4

/** When a publication is safe: at once, when its batch is written, or when that is on disk. */
export type Safe = 'now' | 'written' | 'durable'

export interface DurableQueueOptions {
  readonly name: string
  readonly id: number
  /** undefined: the queue is new */
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
  /** the last publication that it was matched with (topics.ts) */
  mark = 0
  readonly #options: DurableQueueOptions
  readonly #entries: EntryLog
  readonly #state: QueueState
  readonly #dispatch: Dispatch
  readonly #browsers = new Set<Browser>()
  /** not committed yet, or behind such; in order */
  readonly #uncommitted = new Backlog<Entry>()
  /** the batch that `#commit` is for */
  #batch = 0
  #commit = { upTo: 0 }
  /** stored entries up to here can be read */
  #committed: number
  #paged: boolean
  #loaded: number
  #reading = false
  /** committed while a read is under way; undefined: too many */
  #meanwhile: Entry[] | undefined
  #deleted = false

  constructor(options: DurableQueueOptions) {
    const { name, id, state, entries, limits } = options
    this.name = name
    this.id = id
    this.#options = options
    this.#entries = entries
    this.#dispatch = new Dispatch(this, limits.unsettled)
    this.#state = new QueueState(entries.store, id, state, {
      head: () => this.#head(),
      outstanding: () => this.#dispatch.outstanding
    })
    this.#committed = this.#state.last
    this.#loaded = this.#state.head - 1
    this.#paged = this.#loaded < this.#committed
  }

  /** Takes a message; what is to be `stored` is put into the store's present batch. */
  enqueue(message: Message, expiresAt: number, stored = message.durable): Safe {
    const sequence = this.#state.take()
    if (!this.#paged && this.#full) {
      this.#paged = true
      this.#loaded = sequence - 1
    }
    if (!stored && !this.#paged) {
      const entry = new Entry(sequence, message, expiresAt, false)
      if (this.#uncommitted.length > 0) this.#uncommitted.push(entry)
      else this.#dispatch.push(entry)
      return 'now'
    }
    const encoded = encodeMessage(message)
    this.#entries.put(this.id, sequence, encoded, expiresAt)
    this.#uncommitted.push(new Entry(sequence, encoded, expiresAt, true))
    this.#awaitCommit(sequence)
    return stored ? 'durable' : 'written'
  }

  /** Throws `amqp:resource-locked`. */
  attach(options: ConsumerOptions): Attachment {
    if (options.browse === true) return this.#browse(options)
    const { consumers } = this.#dispatch
    if (this.#dispatch.locked(options)) {
      throw new AmqpError('amqp:resource-locked', `queue ${this.name} has another receiver`)
    }
    const consumer = this.#dispatch.attach(options)
    this.#fill()
    return {
      addCredit: credit => consumer.addCredit(credit),
      drain: () => consumer.drain(),
      detach: failed => {
        consumer.detach(failed)
        if (consumers.length === 0) this.#unload()
      }
    }
  }

  endConsumers(error: LinkError): void {
    this.#dispatch.endConsumers(error)
    for (const browser of [...this.#browsers]) browser.end(error)
    if (!this.#deleted) this.#unload()
  }

  /** What is in the store is the caller's to remove. */
  delete(): void {
    this.#deleted = true
    this.endConsumers({ condition: 'amqp:resource-deleted', description: `queue ${this.name} was deleted` })
  }

  /** The process ends in order. */
  close(): void {
    for (const entry of [...this.#dispatch.entries(), ...this.#uncommitted]) {
      const { sequence, message, expiresAt, stored } = entry
      if (!stored) this.#entries.put(this.id, sequence, encodeMessage(message), expiresAt)
    }
    this.#state.close()
  }

  // --- what the dispatch asks of its queue

  now(): number {
    return this.#options.now()
  }

  removed(entry: Entry, outcome: Outcome | undefined): void {
    if (this.#deleted) return
    if (outcome?.type === 'rejected') this.#options.deadLetter?.(entry.message)
    if (!entry.stored) return
    this.#entries.delete(this.id, entry)
    this.#state.onRemoved()
  }

  failed(entry: Entry): void {
    if (!entry.stored || this.#deleted) return
    entry.counted = true
    this.#entries.putFailures(this.id, entry.sequence, entry.failures)
  }

  delivered(entry: Entry): void {
    if (entry.stored) this.#state.onDelivered(entry.sequence)
  }

  ran(): void {
    this.#fill()
  }

  expecting(): boolean {
    return this.#paged && !this.#deleted
  }

  broken(error: unknown): void {
    this.#options.log.error({ err: error, queue: this.name }, 'a receiver of a queue failed')
  }

  // --- between store and memory

  get #full(): boolean {
    const { limits } = this.#options
    const idle = this.#dispatch.consumers.length === 0
    if (this.#uncommitted.length >= limits.queueMessages * UNCOMMITTED_WINDOWS) return true
    if (this.#dispatch.readyCount >= (idle ? limits.idleQueueMessages : limits.queueMessages)) return true
    return this.#dispatch.readyBytes >= (idle ? limits.idleQueueBytes : limits.queueBytes)
  }

  #awaitCommit(sequence: number): void {
    if (this.#batch === this.#entries.store.batch) {
      this.#commit.upTo = sequence
      return
    }
    const commit = { upTo: sequence }
    this.#commit = commit
    this.#batch = this.#entries.store.batch
    this.#entries.store.whenWritten(error => {
      if (error === undefined && !this.#deleted) this.#onCommit(commit.upTo)
    })
  }

  #onCommit(upTo: number): void {
    this.#committed = upTo
    for (;;) {
      const entry = this.#uncommitted.peek()
      if (entry === undefined || (entry.stored && entry.sequence > upTo)) break
      this.#uncommitted.shift()
      if (!this.#paged || entry.sequence <= this.#loaded) this.#dispatch.push(entry)
      else if (this.#meanwhile !== undefined) this.#keepMeanwhile(this.#meanwhile, entry)
    }
    this.#fill()
  }

  #keepMeanwhile(meanwhile: Entry[], entry: Entry): void {
    if (meanwhile.length < this.#options.limits.queueMessages) meanwhile.push(entry)
    else this.#meanwhile = undefined
  }

  /** Reads on where there is room, and somebody to read for. */
  #fill(): void {
    if (!this.#paged || this.#reading || this.#deleted || this.#dispatch.consumers.length === 0) return
    const { queueMessages, queueBytes } = this.#options.limits
    const { readyCount, readyBytes } = this.#dispatch
    if (readyCount > queueMessages / 2 || readyBytes > queueBytes / 2) return
    const oldest = this.#uncommitted.peek()
    if (oldest !== undefined && oldest.sequence <= this.#loaded) return // these come first
    if (this.#loaded >= this.#committed) {
      this.#paged = false
      return
    }
    void this.#read(queueMessages - readyCount, queueBytes - readyBytes)
  }

  async #read(limit: number, bytes: number): Promise<void> {
    const upTo = this.#committed
    this.#reading = true
    this.#meanwhile = []
    try {
      const { entries, last } = await this.#readEntries({ from: this.#loaded + 1, to: upTo, limit, bytes })
      if (this.#deleted) return
      for (const entry of entries) this.#dispatch.push(entry)
      this.#loaded = last // not before: what is neither loaded nor in memory counts as gone
      if (last === upTo) this.#catchUp()
    } catch (error) {
      this.#onUnreadable(error)
    } finally {
      this.#reading = false
      this.#meanwhile = undefined
    }
    if (this.#dispatch.consumers.length === 0) this.#unload()
    this.#fill()
    this.#dispatch.wake() // drains may be over
  }

  async #readEntries(range: EntryRange): Promise<{ entries: Entry[]; last: number }> {
    const read = await this.#entries.read(this.id, range)
    const { crashedAt } = this.#state
    for (const entry of read.entries) if (entry.sequence <= crashedAt) entry.failures++
    return read
  }

  /** All that was committed when the read began is in memory. */
  #catchUp(): void {
    const meanwhile = this.#meanwhile
    if (meanwhile === undefined) return
    for (const entry of meanwhile) this.#dispatch.push(entry)
    this.#paged = false
  }

  #onUnreadable(error: unknown): void {
    if (this.#deleted) return
    this.#options.log.error(
      { err: error, queue: this.name },
      'a queue cannot be read: its receivers are closed'
    )
    this.endConsumers({ condition: 'amqp:internal-error', description: `queue ${this.name} cannot be read` })
  }

  /** Nobody receives: memory keeps the first few, and the store has the rest, up to the newest that is only in memory. */
  #unload(): void {
    const { idleQueueMessages, idleQueueBytes } = this.#options.limits
    const dispatch = this.#dispatch
    if (this.#reading || this.#uncommitted.length > 0) return
    while (dispatch.readyCount > idleQueueMessages || dispatch.readyBytes > idleQueueBytes) {
      const newest = dispatch.newest()
      if (newest?.stored !== true) return
      dispatch.pop()
      this.#paged = true
      this.#loaded = newest.sequence - 1
    }
  }

  /** Nothing below is in the queue. */
  #head(): number {
    const oldest = this.#dispatch.oldest() ?? this.#uncommitted.peek()?.sequence
    const next = this.#paged ? this.#loaded + 1 : this.#state.last + 1
    return oldest === undefined ? next : Math.min(oldest, next)
  }

  #browse(options: ConsumerOptions): Browser {
    const { queueMessages: limit, queueBytes: bytes } = this.#options.limits
    let from = this.#paged ? this.#loaded + 1 : this.#committed + 1
    const to = this.#committed
    const browser = new Browser(
      {
        entries: this.#dispatch.entries(),
        now: () => this.now(),
        more: async () => {
          let entries: readonly Entry[] = []
          while (entries.length === 0 && from <= to) {
            const read = await this.#readEntries({ from, to, limit, bytes })
            from = read.last + 1
            entries = read.entries
          }
          return entries
        },
        onUnreadable: error => this.#onUnreadable(error),
        onDetached: () => this.#browsers.delete(browser)
      },
      options
    )
    this.#browsers.add(browser)
    return browser
  }
}
