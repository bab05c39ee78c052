// Messages of queues in the store.
// Rule: a record is a flag byte, the expiry where there is one, and the message's bytes as they are; a record that cannot be
// read is left where it is, and the queue goes on without it.

import type { Logger } from '../../plugin/host.js'
import { EncodedMessage } from '../rhea/message.js'
import { Entry } from './entry.js'
import { EntryKeys, entryRange, failuresRange, sequenceOf } from './keys.js'
import type { Store } from './store.js'

const EXPIRES = 1
const EXPIRY_BYTES = 8
const SCRATCH_BYTES = 64 << 10

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
    this.store.put(this.#keys.entry(queue, sequence), record.subarray(0, size))
  }

  putFailures(queue: number, sequence: number, failures: number): void {
    this.#count.writeUInt32BE(failures)
    this.store.put(this.#keys.failures(queue, sequence), this.#count)
  }

  delete(queue: number, entry: Entry): void {
    if (entry.stored) this.store.delete(this.#keys.entry(queue, entry.sequence))
    if (entry.counted) this.store.delete(this.#keys.failures(queue, entry.sequence))
  }

  /** Entries in order. `last`: everything up to there was read. */
  async read(queue: number, range: EntryRange): Promise<{ entries: Entry[]; last: number }> {
    const { from, to, limit, bytes } = range
    const chunk = await this.store.read(entryRange(queue, from, to + 1), limit, bytes)
    const newest = chunk.entries.at(-1)
    const last = chunk.complete || newest === undefined ? to : sequenceOf(newest[0])
    const failures = await this.#readFailures(queue, from, last)
    const entries: Entry[] = []
    for (const [key, value] of chunk.entries) {
      const entry = this.#decode(queue, sequenceOf(key), value)
      if (entry === undefined) continue
      const count = failures.get(entry.sequence)
      entry.counted = count !== undefined
      entry.failures = count ?? 0
      entries.push(entry)
    }
    return { entries, last }
  }

  async #readFailures(queue: number, from: number, to: number): Promise<ReadonlyMap<number, number>> {
    const failures = new Map<number, number>()
    for await (const [key, value] of this.store.entries(failuresRange(queue, from, to + 1))) {
      failures.set(sequenceOf(key), value.readUInt32BE())
    }
    return failures
  }

  #decode(queue: number, sequence: number, value: Buffer): Entry | undefined {
    try {
      const expires = value.readUInt8(0) === EXPIRES
      const expiresAt = expires ? value.readDoubleBE(1) : Infinity
      const message = new EncodedMessage(value.subarray(expires ? 1 + EXPIRY_BYTES : 1))
      return new Entry(sequence, message, expiresAt, true)
    } catch (error) {
      this.#log.error({ err: error, queue, sequence }, 'a stored message cannot be read and was left alone')
      return undefined
    }
  }
}
