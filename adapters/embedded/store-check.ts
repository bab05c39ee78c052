// Whether a data directory still has all that was accepted: looked at before LevelDB sees it, which drops what it cannot read
// without a word, and makes a new database where the old one cannot be found.
// Rule: what is missing or changed is a StoreError that names the file, and nothing is touched; what may be lost, for it was
// never accepted, is a line of the log.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '../../plugin/host.js'
import { markOf } from './batch-mark.js'
import { readLog } from './leveldb-log.js'
import { readManifest, type Manifest } from './leveldb-manifest.js'
import { isIntactTable } from './leveldb-table.js'
import { StoreError } from './store-error.js'
import { NOTE_FILE, readNote } from './synced-note.js'

/** Bytes of tables that are read before the store opens, the newest first; the others are read while it runs. */
const TABLE_BYTES = 64 << 20

export interface Checked {
  /** what the note says: the last batch that was on disk; 0: nothing is known */
  readonly synced: number
  /** tables that were not read yet, as paths */
  readonly unread: readonly string[]
}

/** Throws StoreError STORE_DAMAGED. */
export function checkStore(directory: string, log: Logger): Checked {
  const note = readNote(directory)
  const synced = typeof note === 'number' ? note : 0
  const names = existsSync(directory) ? readdirSync(directory) : []
  if (!names.includes('CURRENT')) {
    if (synced > 0 || names.some(name => /^\d+\.(?:log|ldb|sst)$/.test(name)))
      throw damaged(directory, 'CURRENT', 'is missing')
    return { synced, unread: [] }
  }
  if (typeof note !== 'number')
    log.warn({ directory, file: NOTE_FILE }, 'whether the store has all that was accepted cannot be told')
  const manifest = findManifest(directory)
  checkLogs(directory, { names, logNumber: manifest.logNumber, synced, log })
  return { synced, unread: checkTables(directory, names, manifest) }
}

/** What may be missing, and how to go on without it. */
export function lossOf(directory: string, has: number, synced: number): StoreError {
  const missing = `what was accepted last is missing (batches ${has + 1} to ${synced})`
  const way = `restore a copy, or remove ${join(directory, NOTE_FILE)} to go on without`
  return new StoreError('STORE_DAMAGED', `data directory ${directory} is damaged: ${missing}; ${way}`)
}

function damaged(directory: string, file: string, what: string): StoreError {
  return new StoreError('STORE_DAMAGED', `data directory ${directory} is damaged: ${file} ${what}`)
}

function findManifest(directory: string): Manifest {
  const current = readFileSync(join(directory, 'CURRENT'), 'latin1')
  const name = /^(MANIFEST-\d+)\n$/.exec(current)?.[1]
  if (name === undefined) throw damaged(directory, 'CURRENT', 'names no manifest')
  if (!existsSync(join(directory, name))) throw damaged(directory, name, 'is missing')
  try {
    const manifest = readManifest(readFileSync(join(directory, name)))
    if (!manifest.damaged) return manifest
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  throw damaged(directory, name, 'cannot be read')
}

interface LogCheck {
  readonly names: readonly string[]
  readonly logNumber: number
  readonly synced: number
  readonly log: Logger
}

/** Batches that were accepted and are not yet in tables must all be there. */
function checkLogs(directory: string, { names, logNumber, synced, log }: LogCheck): void {
  const logs = names
    .flatMap(name => /^(\d+)\.log$/.exec(name)?.[1] ?? [])
    .filter(digits => Number(digits) >= logNumber)
    .sort((a, b) => Number(a) - Number(b))
    .map(digits => `${digits}.log`)
  if (logNumber > 0 && Number.parseInt(logs[0] ?? '', 10) !== logNumber)
    throw damaged(directory, `${String(logNumber).padStart(6, '0')}.log`, 'is missing')
  let has: number | undefined
  let fault: { readonly file: string; readonly offset: number } | undefined
  for (const file of logs) {
    for (const item of readLog(readFileSync(join(directory, file)))) {
      if (item.type === 'fault') {
        fault ??= { file, offset: item.offset }
        continue
      }
      const mark = markIn(item.bytes)
      if (mark === undefined) continue
      if (fault !== undefined && mark <= synced)
        throw damaged(
          directory,
          fault.file,
          `cannot be read at byte ${fault.offset}, and had accepted messages there`
        )
      has = mark
    }
  }
  if (has !== undefined && has < synced) throw lossOf(directory, has, synced)
  if (fault !== undefined)
    log.warn({ directory, ...fault }, 'the end of a log was cut off: what nobody was told to be safe is gone')
}

function markIn(record: Buffer): number | undefined {
  try {
    return markOf(record)
  } catch (error) {
    // its checksum is right, so it was written so; LevelDB says what it thinks of it
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function checkTables(directory: string, names: readonly string[], { tables }: Manifest): string[] {
  const byNumber = new Map(
    names.flatMap(name => {
      const digits = /^(\d+)\.(?:ldb|sst)$/.exec(name)?.[1]
      return digits === undefined ? [] : [[Number(digits), name] as const]
    })
  )
  const unread: string[] = []
  let bytes = 0
  for (const [number, size] of [...tables].sort(([a], [b]) => b - a)) {
    const name = byNumber.get(number)
    if (name === undefined) throw damaged(directory, `${String(number).padStart(6, '0')}.ldb`, 'is missing')
    const path = join(directory, name)
    if (statSync(path).size !== size) throw damaged(directory, name, `has not its ${size} bytes`)
    bytes += size
    if (bytes > TABLE_BYTES) unread.push(path)
    else if (!isIntactTable(readFileSync(path))) throw damaged(directory, name, 'was changed')
  }
  return unread
}
