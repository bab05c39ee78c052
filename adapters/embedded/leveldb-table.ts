// LevelDB's tables: whether every block has the checksum that was written with it.
// Rule: LevelDB itself does not look when it reads; a table that fails here is never given to it.

import { ByteCursor } from './byte-cursor.js'
import { maskedCrc32c } from './crc32c.js'
import { unpackSnappy } from './snappy.js'

const FOOTER_BYTES = 48
const MAGIC = Buffer.from('57fb808b247547db', 'hex')
/** compression and checksum */
const TRAILER_BYTES = 5
const SNAPPY = 1

/** All blocks are as they were written. */
export function isIntactTable(file: Buffer): boolean {
  const footer = file.subarray(-FOOTER_BYTES)
  if (footer.length < FOOTER_BYTES || !footer.subarray(-MAGIC.length).equals(MAGIC)) return false
  try {
    const handles = new ByteCursor(footer)
    const meta = checkedBlock(file, handles)
    const index = checkedBlock(file, handles)
    // what the index of the table, and that of its filters, points to
    return [meta, index].every(block => block !== undefined && everyBlock(file, block))
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

/** The block that a handle points to; undefined: it is not as it was written. */
function checkedBlock(file: Buffer, handle: ByteCursor): Buffer | undefined {
  const start = handle.varint()
  const end = start + handle.varint()
  if (end + TRAILER_BYTES > file.length) return undefined
  if (maskedCrc32c(file, start, end + 1) !== file.readUInt32LE(end + 1)) return undefined
  const block = file.subarray(start, end)
  return file[end] === SNAPPY ? unpackSnappy(block) : block
}

function everyBlock(file: Buffer, index: Buffer): boolean {
  const restarts = index.readUInt32LE(index.length - 4)
  const entries = new ByteCursor(index.subarray(0, index.length - 4 - restarts * 4))
  while (!entries.done) {
    entries.varint()
    const keyBytes = entries.varint()
    const valueBytes = entries.varint()
    entries.take(keyBytes)
    if (!isChecked(file, new ByteCursor(entries.take(valueBytes)))) return false
  }
  return true
}

function isChecked(file: Buffer, handle: ByteCursor): boolean {
  const start = handle.varint()
  const end = start + handle.varint()
  return (
    end + TRAILER_BYTES <= file.length && maskedCrc32c(file, start, end + 1) === file.readUInt32LE(end + 1)
  )
}
