// A note beside the database: the number of the last batch that is known to be on disk.
// Rule: it is never ahead of the disk, and may be behind. A database that has less than the note says has lost something.

import { readFileSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32c } from './crc32c.js'

/** Beside LevelDB's own files, which leaves it alone. */
export const NOTE_FILE = 'synced'
const NUMBER_BYTES = 8
const NOTE_BYTES = NUMBER_BYTES + 4

/** The number; undefined: there is no note; `damaged`: it cannot be read. */
export function readNote(directory: string): number | 'damaged' | undefined {
  let note: Buffer
  try {
    note = readFileSync(join(directory, NOTE_FILE))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  if (note.length !== NOTE_BYTES) return 'damaged'
  if (crc32c(note, 0, NUMBER_BYTES) !== note.readUInt32BE(NUMBER_BYTES)) return 'damaged'
  return note.readDoubleBE()
}

export class SyncedNote {
  readonly #file: FileHandle
  readonly #note = Buffer.alloc(NOTE_BYTES)
  #latest = 0
  #written = 0
  #writing: Promise<void> | undefined

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async open(directory: string): Promise<SyncedNote> {
    const path = join(directory, NOTE_FILE)
    // not cut: what it says counts until something newer is there
    return new SyncedNote(await open(path, 'r+').catch(() => open(path, 'w')))
  }

  /** Batch `number` is on disk. Written soon; nobody waits. */
  synced(number: number): void {
    this.#latest = number
    this.#writing ??= this.#write()
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#file.close()
  }

  async #write(): Promise<void> {
    try {
      while (this.#written < this.#latest) {
        const number = this.#latest
        this.#note.writeDoubleBE(number)
        this.#note.writeUInt32BE(crc32c(this.#note, 0, NUMBER_BYTES), NUMBER_BYTES)
        await this.#file.write(this.#note, 0, NOTE_BYTES, 0)
        this.#written = number
      }
    } catch {
      // a full disk, say: the note stays behind, and the store itself says what is wrong
    } finally {
      this.#writing = undefined
    }
  }
}
