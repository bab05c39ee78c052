// The format of LevelDB's logs and manifests: records in blocks of 32 KB, each part with a checksum.
// Rule: what LevelDB would pass over without a word is a fault here. After one, reading goes on at the next block.

import { maskedCrc32c } from './crc32c.js'

const BLOCK_BYTES = 32_768
const HEADER_BYTES = 7
const FULL = 1
const FIRST = 2
const LAST = 4

export type LogItem =
  | { readonly type: 'record'; readonly bytes: Buffer }
  /** something is wrong at `offset`; `torn`: with the end of the file, as when its writer was cut off */
  | { readonly type: 'fault'; readonly offset: number; readonly torn: boolean }

type Part = { readonly kind: number; readonly start: number; readonly end: number }

/** The part at `at`; undefined: it cannot be read. */
function readPart(file: Buffer, at: number, blockEnd: number): Part | undefined {
  const start = at + HEADER_BYTES
  const end = start + file.readUInt16LE(at + 4)
  const kind = file[at + 6] ?? 0
  if (kind < FULL || kind > LAST || end > blockEnd) return undefined
  return maskedCrc32c(file, at + 6, end) === file.readUInt32LE(at) ? { kind, start, end } : undefined
}

/** All that is in a log or manifest, in order. */
export function* readLog(file: Buffer): Generator<LogItem> {
  let parts: Buffer[] | undefined
  for (let block = 0; block < file.length; block += BLOCK_BYTES) {
    const blockEnd = Math.min(block + BLOCK_BYTES, file.length)
    let at = block
    while (at + HEADER_BYTES <= blockEnd) {
      const part = readPart(file, at, blockEnd)
      if (part === undefined) break
      const { kind, start, end } = part
      const begins = kind === FULL || kind === FIRST
      // a part without those before it, or a new record within one
      if (begins === (parts !== undefined)) yield { type: 'fault', offset: at, torn: false }
      if (begins) parts = []
      parts?.push(file.subarray(start, end))
      if (parts !== undefined && (kind === FULL || kind === LAST)) {
        yield { type: 'record', bytes: Buffer.concat(parts) }
        parts = undefined
      }
      at = end
    }
    if (at === blockEnd || (at + HEADER_BYTES > blockEnd && blockEnd === block + BLOCK_BYTES)) continue
    yield { type: 'fault', offset: at, torn: blockEnd === file.length }
    parts = undefined
  }
  if (parts !== undefined) yield { type: 'fault', offset: file.length, torn: true }
}
