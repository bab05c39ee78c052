// The part of a durable queue that is in memory, and what is read from and written to the store to keep it so.
// Rule: a stored message reaches the dispatch only after its batch is written. While `paged`, memory ends at `#loaded`, and what
// is newer is read when there is room; else memory has everything. Only a paged queue stores non-durable messages.

import type { Message } from '../../plugin/host.js'
import { encodeMessage } from '../rhea/message.js'
import { Backlog } from './backlog.js'
import type { Dispatch } from './dispatch.js'
import { Entry } from './entry.js'
import type { EntryLog, EntryRange } from './entry-log.js'
import type { Limits } from './limits.js'
import type { QueueState } from './queue-state.js'
import type { QueueStock } from './queue-stock.js'

/** What waits for the disk is in memory anyway, as far as senders have credit. */
const UNCOMMITTED_WINDOWS = 4

/** Entries that are read at once, at least: for consumers that take few at a time. */
const LEAST_READ = 100

/** When a publication is safe: at once, when its batch is written, or when that is on disk. */
export type Safe = 'now' | 'written' | 'durable'

export interface QueueWindowOwner {
  readonly id: number
  readonly stock: QueueStock
  /** The store failed to read. */
  unreadable(error: unknown): void
}

/** Stored entries up to `upTo` are written together. */
interface Commit {
  /** number of the store's batch */
  readonly batch: number
  upTo: number
}

export class QueueWindow {
  readonly #owner: QueueWindowOwner
  readonly #entries: EntryLog
  readonly #limits: Limits
  readonly #state: QueueState
  readonly #dispatch: Dispatch
  /** not written yet, or behind such; in order */
  readonly #uncommitted = new Backlog<Entry>()
  #commit: Commit | undefined
  /** stored entries up to here can be read */
  #committed: number
  #paged: boolean
  #loaded: number
  #reading = false
  /** written while a read is under way; undefined: too many */
  #meanwhile: Entry[] | undefined
  #closed = false

  constructor(
    owner: QueueWindowOwner,
    entries: EntryLog,
    limits: Limits,
    state: QueueState,
    dispatch: Dispatch
  ) {
    this.#owner = owner
    this.#entries = entries
    this.#limits = limits
    this.#state = state
    this.#dispatch = dispatch
    this.#committed = state.last
    this.#loaded = state.head - 1
    this.#paged = this.#loaded < this.#committed
  }

  /** Entries come that need no new publication. */
  get expecting(): boolean {
    return this.#paged && !this.#closed
  }

  /** What is to be `stored` is put into the store's present batch. */
  add(message: Message, expiresAt: number, stored: boolean): Safe {
    const sequence = this.#state.take()
    if (!this.#paged && this.#full) {
      this.#paged = true
      this.#loaded = sequence - 1
    }
    if (!stored && !this.#paged) {
      this.#owner.stock.add(message)
      const entry = new Entry(sequence, message, expiresAt, false)
      if (this.#uncommitted.length > 0) this.#uncommitted.push(entry)
      else this.#dispatch.push(entry)
      return 'now'
    }
    const encoded = encodeMessage(message)
    this.#owner.stock.add(encoded)
    this.#entries.put(this.#owner.id, sequence, encoded, expiresAt)
    if (!this.#paged && this.#uncommitted.length < this.#dispatch.room) this.#state.expect(sequence)
    this.#uncommitted.push(new Entry(sequence, encoded, expiresAt, true))
    this.#awaitCommit(sequence)
    return stored ? 'durable' : 'written'
  }

  /** Reads on where there is room, and somebody to read for. */
  fill(): void {
    if (!this.#paged || this.#reading || this.#closed || this.#dispatch.idle) return
    const { queueMessages, queueBytes } = this.#limits
    const { readyCount, readyBytes, credit } = this.#dispatch
    // as much as they can take soon: thousands of queues may be read at the same time
    const window = Math.min(queueMessages, Math.max(LEAST_READ, 2 * credit))
    if (readyCount > window / 2 || readyBytes > queueBytes / 2) return
    // what is newer than `#loaded` and not committed is in memory
    if (this.#loaded >= this.#committed) this.#paged = false
    else void this.#readOn(window - readyCount, queueBytes - readyBytes)
  }

  /** Nobody receives: memory keeps the first few, and the store has the rest, up to the newest that is only in memory. */
  unload(): void {
    const { idleQueueMessages, idleQueueBytes } = this.#limits
    const dispatch = this.#dispatch
    if (this.#reading || this.#closed || !dispatch.idle || this.#uncommitted.length > 0) return
    while (dispatch.readyCount > idleQueueMessages || dispatch.readyBytes > idleQueueBytes) {
      const newest = dispatch.newest()
      if (newest?.stored !== true) return
      dispatch.pop()
      this.#paged = true
      this.#loaded = newest.sequence - 1
    }
  }

  /** Nothing below this number is in the queue. */
  head(): number {
    const oldest = this.#dispatch.oldest() ?? this.#uncommitted.peek()?.sequence ?? Infinity
    return Math.min(oldest, this.#paged ? this.#loaded + 1 : this.#state.last + 1)
  }

  /** The sequence numbers that are in the store and not in memory. */
  get unloaded(): { readonly from: number; readonly to: number } {
    return { from: this.#paged ? this.#loaded + 1 : this.#committed + 1, to: this.#committed }
  }

  async read(range: EntryRange): Promise<{ entries: Entry[]; last: number }> {
    const { crashedAt } = this.#state
    const read = await this.#entries.read(this.#owner.id, range)
    for (const entry of read.entries) if (entry.sequence <= crashedAt) entry.failures++
    return read
  }

  /** What only memory has goes into the store, where `kept`; nothing is read any more. */
  close(kept: boolean): void {
    this.#closed = true
    if (!kept) return
    for (const { sequence, message, expiresAt, stored } of [
      ...this.#dispatch.entries(),
      ...this.#uncommitted
    ]) {
      if (stored) continue
      const encoded = encodeMessage(message)
      this.#entries.put(this.#owner.id, sequence, encoded, expiresAt)
      this.#owner.stock.remove(sequence, message)
      this.#owner.stock.add(encoded)
    }
  }

  get #full(): boolean {
    const limits = this.#limits
    const { idle, readyCount, readyBytes } = this.#dispatch
    if (this.#uncommitted.length >= limits.queueMessages * UNCOMMITTED_WINDOWS) return true
    if (readyCount >= (idle ? limits.idleQueueMessages : limits.queueMessages)) return true
    return readyBytes >= (idle ? limits.idleQueueBytes : limits.queueBytes)
  }

  /** One call for all entries of a batch. */
  #awaitCommit(sequence: number): void {
    const { store } = this.#entries
    if (this.#commit?.batch === store.batch) {
      this.#commit.upTo = sequence
      return
    }
    const commit: Commit = { batch: store.batch, upTo: sequence }
    this.#commit = commit
    store.whenWritten(error => {
      if (this.#closed) return
      if (error === undefined) this.#onCommit(commit.upTo)
      else this.#uncommitted.clear() // nobody was told that these are accepted
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
    this.fill()
  }

  #keepMeanwhile(meanwhile: Entry[], entry: Entry): void {
    if (meanwhile.length < this.#limits.queueMessages) meanwhile.push(entry)
    else this.#meanwhile = undefined
  }

  async #readOn(limit: number, bytes: number): Promise<void> {
    const to = this.#committed
    this.#reading = true
    this.#meanwhile = []
    try {
      const { entries, last } = await this.read({ from: this.#loaded + 1, to, limit, bytes })
      if (this.#closed) return
      for (const entry of entries) this.#dispatch.push(entry)
      this.#loaded = last // not before: what is neither loaded nor in memory counts as gone
      if (last === to) this.#catchUp()
    } catch (error) {
      if (!this.#closed) this.#owner.unreadable(error)
    } finally {
      this.#reading = false
      this.#meanwhile = undefined
    }
    this.unload()
    this.fill()
    this.#dispatch.wake() // drains may be over
  }

  /** All that was written when the read began is in memory; so are all later ones, unless they were too many. */
  #catchUp(): void {
    if (this.#meanwhile === undefined) return
    for (const entry of this.#meanwhile) this.#dispatch.push(entry)
    this.#paged = false
  }
}
