// What we use of rhea's inside that its declarations leave out. Rule: whatever reaches into rhea is typed here or in the file that
// guards it, so that a new version of rhea is checked in few places.

import rhea from 'rhea'

/** Reads at `position`; nothing is checked: scan the bytes first. */
export interface Reader {
  readonly buffer: Buffer
  position: number
  read_uint(width: 1 | 2 | 4): number
  read_bytes(count: number): Buffer
  skip(count: number): void
}

/** Writes at `position`; grows. */
export interface Writer {
  readonly buffer: Buffer
  position: number
  ensure(length: number): void
  write_uint(value: number, width: 1 | 2 | 4): void
  write_bytes(bytes: Buffer): void
  toBuffer(): Buffer
}

interface Inside {
  readonly types: {
    readonly Reader: new (buffer: Buffer) => Reader
    readonly Writer: new (buffer: Buffer) => Writer
  }
  readonly message: { decode(bytes: Buffer): unknown }
}

const inside = rhea as unknown as Inside

export const { Reader, Writer } = inside.types
export const rheaMessage = inside.message
