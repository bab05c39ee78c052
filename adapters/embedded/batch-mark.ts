// The number that each batch of the store carries, and where it stands in LevelDB's log.
// Rule: numbers only grow; a batch of LevelDB's own, or of a range that is cleared, has none.

import { ByteCursor } from './byte-cursor.js'
import { BATCH_KEY } from './keys.js'

/** Sequence number and count of a batch. */
const HEADER_BYTES = 12
const PUT = 1
const MARK_BYTES = 8

export function encodeMark(number: number): Buffer {
  const mark = Buffer.allocUnsafe(MARK_BYTES)
  mark.writeDoubleBE(number)
  return mark
}

/** 0 where there is none. */
export function decodeMark(value: Buffer | undefined): number {
  return value?.length === MARK_BYTES ? value.readDoubleBE() : 0
}

/** The number in a record of the log; undefined: it has none. Throws a RangeError for what is no batch. */
export function markOf(record: Buffer): number | undefined {
  const batch = new ByteCursor(record, HEADER_BYTES)
  let mark: number | undefined
  while (!batch.done) {
    const isPut = batch.bytes.readUInt8(batch.at++) === PUT
    const key = batch.slice()
    const value = isPut ? batch.slice() : undefined
    if (value !== undefined && key.equals(BATCH_KEY)) mark = decodeMark(value)
  }
  return mark
}
