// Opening LevelDB for a space, and what can be in the way.
// Rule: a directory that another process uses, that is damaged or newer than this program is said so, and left as it is.

import { mkdir } from 'node:fs/promises'
import { ClassicLevel, type ChainedBatch } from 'classic-level'
import { FORMAT_KEY, STORE_FORMAT } from './keys.js'
import { StoreError } from './store-error.js'

export type Level = ClassicLevel<Buffer, Buffer>
export type Batch = ChainedBatch<Level, Buffer, Buffer>

const WRITE_BUFFER_BYTES = 16 << 20
/** The least that LevelDB takes: it maps each open table, up to 2 MB, into this process's memory. */
const MAX_OPEN_FILES = 74

/** Opens or makes the database. Throws StoreError, or the operating system's error for the directory. */
export async function openLevel(directory: string): Promise<Level> {
  await mkdir(directory, { recursive: true })
  const db: Level = new ClassicLevel(directory, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    writeBufferSize: WRITE_BUFFER_BYTES,
    maxOpenFiles: MAX_OPEN_FILES
  })
  try {
    await db.open()
    await checkFormat(db, directory)
    return db
  } catch (error) {
    await db.close()
    throw openFailure(directory, error)
  }
}

async function checkFormat(db: Level, directory: string): Promise<void> {
  const found = await db.get(FORMAT_KEY)
  if (found === undefined) return db.put(FORMAT_KEY, Buffer.from(String(STORE_FORMAT)), { sync: true })
  const format = Number(found.toString())
  if (format === STORE_FORMAT) return
  if (!(format > STORE_FORMAT)) {
    throw new StoreError('STORE_DAMAGED', `data directory ${directory} has no readable format`)
  }
  throw new StoreError(
    'STORE_TOO_NEW',
    `data directory ${directory} has format ${format}; this version reads up to ${STORE_FORMAT}`
  )
}

/** What LevelDB says, as a StoreError; anything else as it is. */
export function openFailure(directory: string, error: unknown): unknown {
  // classic-level says that the database is not open, and puts the reason into `cause`
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error) || !('code' in cause)) return error
  switch (cause.code) {
    case 'LEVEL_LOCKED':
      return new StoreError('STORE_IN_USE', `data directory ${directory} is in use by another process`, error)
    case 'LEVEL_CORRUPTION':
    case 'EISDIR':
      return new StoreError(
        'STORE_DAMAGED',
        `data directory ${directory} is damaged: ${cause.message}`,
        error
      )
    case 'LEVEL_IO_ERROR':
      return new StoreError(
        'STORE_FAILED',
        `data directory ${directory} cannot be opened: ${cause.message}`,
        error
      )
    default:
      return error
  }
}
