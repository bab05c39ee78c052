// Messages of queues in the store.
// Rule: a record is a flag byte, the expiry where there is one, and the message's bytes as they are; a record that cannot be
// read is left where it is, and the queue goes on without it.

import type { Logger } from '../../plugin/host.js'
import { EncodedMessage } from '../rhea/message.js'
import { Entry } from './entry.js'
import { EntryKeys, entryRange, isMessageKey, sequenceOf } from './keys.js'
import type { Store } from './store.js'

const EXPIRES = 1
const EXPIRY_BYTES = 8
const SCRATCH_BYTES = 64 << 10
/** Read at once while publications go on. */
const COUNT_BYTES = 32 << 10

export interface EntryRange {
  /** first and last sequence number */
  readonly from: number
  readonly to: number
  /** entries and bytes at most, about */
  readonly limit: number
  readonly bytes: number
}

export class EntryLog {
  readonly store: Store
  readonly #log: Logger
  readonly #keys = new EntryKeys()
  /** the store copies what it is given: one buffer serves all records that fit */
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  readonly #count = Buffer.alloc(4)
  #counting: Promise<boolean> = Promise.resolve(true)

  constructor(store: Store, log: Logger) {
    this.store = store
    this.#log = log
  }

  put(queue: number, sequence: number, message: EncodedMessage, expiresAt: number): void {
    const { bytes } = message
    const start = expiresAt === Infinity ? 1 : 1 + EXPIRY_BYTES
    const size = start + bytes.length
    const record = size <= SCRATCH_BYTES ? this.#scratch : Buffer.allocUnsafe(size)
    record[0] = expiresAt === Infinity ? 0 : EXPIRES
    if (expiresAt !== Infinity) record.writeDoubleBE(expiresAt, 1)
    record.set(bytes, start)
    this.store.put(this.#keys.message(queue, sequence), record.subarray(0, size))
  }

  putFailures(queue: number, sequence: number, failures: number): void {
    this.#count.writeUInt32BE(failures)
    this.store.put(this.#keys.failures(queue, sequence), this.#count)
  }

  delete(queue: number, entry: Entry): void {
    if (entry.stored) this.store.delete(this.#keys.message(queue, entry.sequence))
    if (entry.counted) this.store.delete(this.#keys.failures(queue, entry.sequence))
  }

  /** Entries in order. `last`: everything up to there was read. */
  async read(queue: number, range: EntryRange): Promise<{ entries: Entry[]; last: number }> {
    const { from, to, bytes } = range
    const limit = Math.max(range.limit, 2) // a message and its failures
    const chunk = await this.store.read(entryRange(queue, from, to + 1), limit, bytes)
    const entries: Entry[] = []
    let last = from - 1
    let failures: Buffer | undefined
    for (const [key, value] of chunk.entries) {
      if (!isMessageKey(key)) {
        failures = value
        continue
      }
      last = sequenceOf(key)
      const entry = this.#decode(queue, last, value)
      if (entry !== undefined) entries.push(entry)
      if (entry !== undefined && failures !== undefined) {
        entry.counted = true
        entry.failures = failures.readUInt32BE()
      }
      failures = undefined
    }
    return { entries, last: chunk.complete ? to : last }
  }

  /**
   * Calls `onEntry` for each message with `from` <= sequence <= `to` that is there when it is reached, with the bytes of the message,
   * until it returns false. One queue at a time. Resolves with false where that is not all.
   */
  count(
    queue: number,
    from: number,
    to: number,
    onEntry: (sequence: number, bytes: number) => boolean
  ): Promise<boolean> {
    return (this.#counting = this.#countAll(this.#counting, { queue, from, to }, onEntry))
  }

  async #countAll(
    former: Promise<boolean>,
    { queue, from, to }: { readonly queue: number; readonly from: number; readonly to: number },
    onEntry: (sequence: number, bytes: number) => boolean
  ): Promise<boolean> {
    // what was removed before this call is written when it is read
    await Promise.all([former, this.store.written()])
    try {
      for await (const [key, value] of this.store.entries(entryRange(queue, from, to + 1), COUNT_BYTES)) {
        if (isMessageKey(key) && !onEntry(sequenceOf(key), messageBytes(value))) return false
      }
      return true
    } catch (error) {
      if (!this.store.closed)
        this.#log.error({ err: error, queue }, 'the messages of a queue cannot be counted')
      return false
    }
  }

  #decode(queue: number, sequence: number, value: Buffer): Entry | undefined {
    try {
      const start = startOf(value)
      const expiresAt = start > 1 ? value.readDoubleBE(1) : Infinity
      const message = new EncodedMessage(value.subarray(start))
      return new Entry(sequence, message, expiresAt, true)
    } catch (error) {
      this.#log.error({ err: error, queue, sequence }, 'a stored message cannot be read and was left alone')
      return undefined
    }
  }
}

/** Where the message's bytes begin. */
const startOf = (record: Buffer): number => (record.readUInt8(0) === EXPIRES ? 1 + EXPIRY_BYTES : 1)

const messageBytes = (record: Buffer): number =>
  record.length === 0 ? 0 : Math.max(record.length - startOf(record), 0)
