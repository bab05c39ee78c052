// LevelDB's manifest: which tables and which log are the database.
// Rule: it is read as LevelDB reads it; a field that is not known is a RangeError.

import { ByteCursor } from './byte-cursor.js'
import { readLog } from './leveldb-log.js'

export interface Manifest {
  /** logs from this number on are not yet in tables; 0: none was written */
  readonly logNumber: number
  /** size by number, bytes */
  readonly tables: ReadonlyMap<number, number>
  /** something in it cannot be read, and is not just its torn end */
  readonly damaged: boolean
}

/** Tags of a change. */
const TAG = {
  comparator: 1,
  logNumber: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLog: 9
} as const

export function readManifest(file: Buffer): Manifest {
  const state = { logNumber: 0, tables: new Map<number, number>() }
  let damaged = false
  for (const item of readLog(file)) {
    if (item.type === 'record') apply(state, new ByteCursor(item.bytes))
    else if (!item.torn) damaged = true
  }
  return { ...state, damaged }
}

function apply(state: { logNumber: number; tables: Map<number, number> }, change: ByteCursor): void {
  while (!change.done) {
    const tag = change.varint()
    switch (tag) {
      case TAG.comparator:
        change.slice()
        break
      case TAG.logNumber:
        state.logNumber = change.varint()
        break
      case TAG.nextFile:
      case TAG.lastSequence:
      case TAG.previousLog:
        change.varint()
        break
      case TAG.compactPointer:
        change.varint()
        change.slice()
        break
      case TAG.deletedFile:
        change.varint()
        state.tables.delete(change.varint())
        break
      case TAG.newFile: {
        change.varint()
        const number = change.varint()
        state.tables.set(number, change.varint())
        change.slice()
        change.slice()
        break
      }
      default:
        throw new RangeError(`no change has the tag ${tag}`)
    }
  }
}
