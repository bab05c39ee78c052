// The embedded key-value store of one space, with group commit: what is put while a batch is being written is the next batch.
// Rule: one batch at a time, in the order of the puts; a batch is synced only if somebody waits for that; after a write that
// failed nothing is written any more, since nobody knows what the disk has.

import type { Logger } from '../../plugin/host.js'
import { decodeMark, encodeMark } from './batch-mark.js'
import { BATCH_KEY, FORMAT_KEY, STORE_FORMAT, type KeyRange } from './keys.js'
import { openFailure, openLevel, type Batch, type Level } from './level.js'
import { checkStore, lossOf, type Checked } from './store-check.js'
import { StoreError } from './store-error.js'
import { SyncedNote } from './synced-note.js'
import { TableReader } from './table-reader.js'

/** `error`: what was to be written is not safe. */
export type Written = (error: Error | undefined) => void

/** Something that has one more value to write whenever a batch is written. */
export interface Touched {
  beforeWrite(): void
}

/** What nobody waits for is written after this time at the latest, ms. */
const LAZY_MS = 10
/** Operations that nobody waits for and that are written at once all the same. */
const LAZY_OPERATIONS = 2000
const READ_BYTES = 1 << 20

export interface Chunk {
  readonly entries: readonly (readonly [key: Buffer, value: Buffer])[]
  /** nothing is left in the range */
  readonly complete: boolean
}

interface StoreParts {
  readonly note: SyncedNote
  readonly tables: TableReader
  readonly former: number
}

export class Store {
  readonly #db: Level
  readonly #log: Logger
  readonly #note: SyncedNote
  readonly #tables: TableReader
  /** the last batch of the process before */
  readonly #former: number
  readonly #touched = new Set<Touched>()
  #batch: Batch | undefined
  #waiting: Written[] = []
  #sync = false
  #writing = false
  #immediate = false
  #timer: NodeJS.Timeout | undefined
  #failure: Error | undefined
  #closed = false
  #idle: (() => void) | undefined
  /** number of the batch that is being gathered */
  batch = 1
  /** batches that were synced */
  syncs = 0

  private constructor(db: Level, log: Logger, parts: StoreParts) {
    this.#db = db
    this.#log = log
    this.#note = parts.note
    this.#tables = parts.tables
    this.#former = parts.former
  }

  /** number of the batch before the first one of this process */
  get former(): number {
    return this.#former
  }

  /** Nothing is read or written any more. */
  get closed(): boolean {
    return this.#closed
  }

  /** Opens or makes the store. Throws StoreError, or the operating system's error for the directory. */
  static async open(directory: string, log: Logger): Promise<Store> {
    const { synced, unread } = check(directory, log)
    const db = await openLevel(directory)
    try {
      const has = decodeMark(await db.get(BATCH_KEY))
      if (has < synced) throw lossOf(directory, has, synced)
      const note = await SyncedNote.open(directory)
      return new Store(db, log, { note, tables: new TableReader(unread, log), former: has })
    } catch (error) {
      await db.close()
      throw openFailure(directory, error)
    }
  }

  /** Both buffers may be used again when it returns. */
  put(key: Buffer, value: Buffer): void {
    if (this.#failure !== undefined) return
    this.#gathering().put(key, value)
    if (this.#timer === undefined) this.#later()
  }

  /** The key's buffer may be used again when it returns. */
  delete(key: Buffer): void {
    if (this.#failure !== undefined) return
    this.#gathering().del(key)
    if (this.#timer === undefined) this.#later()
  }

  /** Calls `done` when all that was put before is in the operating system's hands: it survives the end of this process. */
  whenWritten(done: Written): void {
    if (this.#failure !== undefined) return queueMicrotask(() => done(this.#failure))
    this.#waiting.push(done)
    this.#soon()
  }

  /** Calls `done` when all that was put before is on disk. */
  whenDurable(done: Written): void {
    this.#sync = true
    this.whenWritten(done)
  }

  /** Resolves when all that was put before is written, or nothing is written any more. */
  written(): Promise<void> {
    return new Promise(resolve => this.whenWritten(() => resolve()))
  }

  durable(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.whenDurable(error => (error === undefined ? resolve() : reject(error)))
    })
  }

  /** Has `touched` called before the next batch is written, within LAZY_MS. */
  touch(touched: Touched): void {
    this.#touched.add(touched)
    if (this.#timer === undefined) this.#later()
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.#db.get(key)
  }

  /** Reads what is written, in order, until `limit` entries or about `bytes`. */
  async read(range: KeyRange, limit: number, bytes: number): Promise<Chunk> {
    const iterator = this.#db.iterator({ ...range, highWaterMarkBytes: Math.min(bytes, READ_BYTES) })
    const entries: [Buffer, Buffer][] = []
    let size = 0
    try {
      while (entries.length < limit && size < bytes) {
        const part = await iterator.nextv(limit - entries.length)
        if (part.length === 0) return { entries, complete: true }
        for (const entry of part) {
          entries.push(entry)
          size += entry[1].length
        }
      }
    } finally {
      await iterator.close()
    }
    return { entries, complete: false }
  }

  /** What is there at the first step, in order; about `bytes` at once. */
  async *entries(range: KeyRange, bytes = READ_BYTES): AsyncGenerator<[key: Buffer, value: Buffer]> {
    for await (const entry of this.#db.iterator({ ...range, highWaterMarkBytes: bytes })) yield entry
  }

  /** Removes all that is written of a range, not in the order of the puts. */
  clear(range: KeyRange): Promise<void> {
    return this.#db.clear(range)
  }

  /** Writes and syncs everything, and closes. */
  async close(): Promise<void> {
    // not empty, so that it is synced, and all that was written before with it
    this.put(FORMAT_KEY, Buffer.from(String(STORE_FORMAT)))
    if (this.#failure === undefined) await this.durable().catch(() => undefined)
    while (this.#writing) await new Promise<void>(resolve => (this.#idle = resolve))
    clearTimeout(this.#timer)
    this.#closed = true
    this.#failure ??= new StoreError('STORE_FAILED', 'the store is closed')
    await this.#tables.stop()
    await this.#note.close()
    await this.#db.close()
  }

  #gathering(): Batch {
    return (this.#batch ??= this.#db.batch().put(BATCH_KEY, encodeMark(this.#former + this.batch)))
  }

  /** At the end of this turn of the event loop, so that all that the turn brings is one batch. */
  #soon(): void {
    if (this.#writing || this.#immediate) return
    this.#immediate = true
    setImmediate(() => {
      this.#immediate = false
      this.#write()
    })
  }

  #later(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#write()
    }, LAZY_MS)
  }

  #write(): void {
    if (this.#writing || this.#failure !== undefined) return
    for (const touched of this.#touched) touched.beforeWrite()
    this.#touched.clear()
    clearTimeout(this.#timer)
    this.#timer = undefined
    const waiting = this.#waiting
    const sync = this.#sync
    if (this.#batch === undefined && !sync && waiting.length === 0) return
    const batch = this.#gathering()
    this.#batch = undefined
    this.#waiting = []
    this.#sync = false
    this.#writing = true
    const number = this.#former + this.batch++
    if (sync) this.syncs++
    batch.write({ sync }).then(
      () => {
        if (sync) this.#note.synced(number)
        this.#onWritten(waiting, undefined)
      },
      (error: unknown) => this.#onWritten(waiting, error)
    )
  }

  #onWritten(waiting: readonly Written[], error: unknown): void {
    this.#writing = false
    if (error !== undefined) waiting = this.#fail(waiting, error)
    // the disk works on the next batch while this one's news is told
    else if (this.#waiting.length > 0 || (this.#batch?.length ?? 0) > LAZY_OPERATIONS) this.#write()
    else if (this.#timer === undefined && (this.#batch !== undefined || this.#touched.size > 0)) this.#later()
    for (const done of waiting) done(this.#failure)
    const idle = this.#idle
    this.#idle = undefined
    idle?.()
  }

  #fail(waiting: readonly Written[], cause: unknown): readonly Written[] {
    this.#failure = new StoreError('STORE_FAILED', `the store ${this.#db.location} cannot be written`, cause)
    this.#log.error(
      { err: this.#failure },
      'the store cannot be written: nothing durable is accepted until a restart'
    )
    const all = [...waiting, ...this.#waiting]
    this.#waiting = []
    return all
  }
}

function check(directory: string, log: Logger): Checked {
  try {
    return checkStore(directory, log)
  } catch (error) {
    throw openFailure(directory, error)
  }
}
