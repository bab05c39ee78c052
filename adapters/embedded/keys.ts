// The layout of the store: which key holds what.
// Rule: keys of one kind are one range, and their bytes sort as what they stand for; a change here is a new STORE_FORMAT.

/** Version of keys and values. A store with a newer one is refused. */
export const STORE_FORMAT = 1

const FORMAT = 0x76 // v: the format version
const BATCH = 0x62 // b: number of the last batch (batch-mark.ts)
const NEXT_QUEUE = 0x69 // i: the next queue's id
const QUEUE = 0x71 // q + queue: name
const STATE = 0x6d // m + queue: how far the queue was used (durable-queue.ts)
const ENTRY = 0x65 // e + queue + sequence + part: a message in a queue, and how often its delivery failed
const ROUTE = 0x72 // r + queue + filter, and NUL + `only` where it has that: a route to the queue
const DELETED = 0x78 // x + queue: the queue is deleted, what was in it perhaps not yet
const TAKEN_IDS = 0x64 // d + number: ids of messages that were taken (taken-ids.ts)
const VALUE = 0x6b // k + store name + NUL + key: a value of a keyed store

const QUEUE_BYTES = 5
const ENTRY_BYTES = 14
const PART = 13
const LOW_WORD = 0x1_0000_0000

/** Parts of an entry: the failures come first, so that whoever reads on after a message has missed none. */
const FAILURES = 0
const MESSAGE = 1

export const FORMAT_KEY = Buffer.of(FORMAT)
export const BATCH_KEY = Buffer.of(BATCH)
export const NEXT_QUEUE_KEY = Buffer.of(NEXT_QUEUE)

export interface KeyRange {
  readonly gte: Buffer
  readonly lt: Buffer
}

const kindRange = (kind: number): KeyRange => ({ gte: Buffer.of(kind), lt: Buffer.of(kind + 1) })

export const QUEUES: KeyRange = kindRange(QUEUE)
export const STATES: KeyRange = kindRange(STATE)
export const ROUTES: KeyRange = kindRange(ROUTE)
export const DELETED_QUEUES: KeyRange = kindRange(DELETED)
export const DUPLICATE_IDS: KeyRange = kindRange(TAKEN_IDS)

function queuePart(kind: number, queue: number): Buffer {
  const key = Buffer.allocUnsafe(QUEUE_BYTES)
  key[0] = kind
  key.writeUInt32BE(queue, 1)
  return key
}

export const queueKey = (queue: number): Buffer => queuePart(QUEUE, queue)
export const stateKey = (queue: number): Buffer => queuePart(STATE, queue)
export const deletedKey = (queue: number): Buffer => queuePart(DELETED, queue)
export const queueOf = (key: Buffer): number => key.readUInt32BE(1)

function writeEntryKey(key: Buffer, queue: number, sequence: number, part: number): Buffer {
  key[0] = ENTRY
  key.writeUInt32BE(queue, 1)
  key.writeUInt32BE(Math.floor(sequence / LOW_WORD), 5)
  key.writeUInt32BE(sequence % LOW_WORD, 9)
  key[PART] = part
  return key
}

/** Makes keys of entries in one buffer, again and again: good until the next call. */
export class EntryKeys {
  readonly #key = Buffer.allocUnsafe(ENTRY_BYTES)

  message(queue: number, sequence: number): Buffer {
    return writeEntryKey(this.#key, queue, sequence, MESSAGE)
  }

  failures(queue: number, sequence: number): Buffer {
    return writeEntryKey(this.#key, queue, sequence, FAILURES)
  }
}

/** Entries with `from` <= sequence < `to`. */
export const entryRange = (queue: number, from: number, to: number): KeyRange => ({
  gte: writeEntryKey(Buffer.allocUnsafe(ENTRY_BYTES), queue, from, FAILURES),
  lt: writeEntryKey(Buffer.allocUnsafe(ENTRY_BYTES), queue, to, FAILURES)
})

export const isMessageKey = (key: Buffer): boolean => key[PART] === MESSAGE

/**
 * After all entries of the queue, and always there: whoever looks for the next entry finds this, and does not walk over all
 * that was deleted of the next queue.
 */
export const endOfQueueKey = (queue: number): Buffer =>
  Buffer.concat([queuePart(ENTRY, queue), Buffer.alloc(ENTRY_BYTES - QUEUE_BYTES, 0xff)])

export const sequenceOf = (key: Buffer): number => key.readUInt32BE(5) * LOW_WORD + key.readUInt32BE(9)

/** Everything of one queue but its name and its mark as deleted. */
export const queueRanges = (queue: number): readonly KeyRange[] =>
  [ENTRY, ROUTE, STATE].map(kind => ({
    gte: queuePart(kind, queue),
    lt: queuePart(kind, queue + 1)
  }))

/** `route`: what routeText makes of it. */
export const routeKey = (queue: number, route: string): Buffer =>
  Buffer.concat([queuePart(ROUTE, queue), Buffer.from(route)])

export const routeTextOf = (key: Buffer): string => key.toString('utf8', QUEUE_BYTES)

export function takenIdsKey(number: number): Buffer {
  const key = Buffer.allocUnsafe(9)
  key[0] = TAKEN_IDS
  key.writeDoubleBE(number, 1) // sorts as numbers from 0 do
  return key
}

export const numberOfIds = (key: Buffer): number => key.readDoubleBE(1)

export const valuePrefix = (store: string, prefix = ''): Buffer =>
  Buffer.concat([Buffer.of(VALUE), Buffer.from(`${store}\0${prefix}`)])

/** All keys that start with `prefix`. */
export function prefixRange(prefix: Buffer): KeyRange {
  const lt = Buffer.from(prefix)
  for (let i = lt.length - 1; i >= 0; i--) {
    const byte = lt[i] ?? 0
    if (byte < 0xff) {
      lt[i] = byte + 1
      return { gte: prefix, lt: lt.subarray(0, i + 1) }
    }
  }
  throw new RangeError('a prefix of bytes 0xff has no end')
}
