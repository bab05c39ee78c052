// Snappy, the way back: LevelDB packs the index of a table with it.
// Rule: what is not Snappy is a RangeError.

import { ByteCursor } from './byte-cursor.js'

const LITERAL = 0
const COPY_1 = 1
const COPY_2 = 2

/** Larger blocks than this are not LevelDB's. */
const MAX_BYTES = 1 << 28

export function unpackSnappy(packed: Buffer): Buffer {
  const input = new ByteCursor(packed)
  const size = input.varint()
  if (size > MAX_BYTES) throw new RangeError('a block of that size')
  const output = Buffer.alloc(size)
  let at = 0
  while (!input.done) {
    const tag = input.bytes.readUInt8(input.at++)
    if ((tag & 3) === LITERAL) {
      const bytes = input.take(literalBytes(input, tag >> 2))
      if (bytes.length > size - at) throw new RangeError('more than was announced')
      output.set(bytes, at)
      at += bytes.length
    } else {
      const { length, offset } = readCopy(input, tag)
      if (offset === 0 || offset > at || length > size - at) throw new RangeError('a copy from nowhere')
      // byte by byte: it may overlap with what it writes
      for (let i = 0; i < length; i++, at++) output[at] = output[at - offset] ?? 0
    }
  }
  if (at !== size) throw new RangeError('less than was announced')
  return output
}

function literalBytes(input: ByteCursor, code: number): number {
  if (code < 60) return code + 1
  const width = code - 59
  return input.take(width).readUIntLE(0, width) + 1
}

function readCopy(input: ByteCursor, tag: number): { readonly length: number; readonly offset: number } {
  switch (tag & 3) {
    case COPY_1:
      return { length: ((tag >> 2) & 7) + 4, offset: ((tag >> 5) << 8) | input.take(1).readUInt8() }
    case COPY_2:
      return { length: (tag >> 2) + 1, offset: input.take(2).readUInt16LE() }
    default:
      return { length: (tag >> 2) + 1, offset: input.take(4).readUInt32LE() }
  }
}
