// Reads the tables that were too many to read before the store opened.
// Rule: one at a time with pauses, so that clients do not notice; a table that is damaged is an error in the log, once.

import { readFile } from 'node:fs/promises'
import type { Logger } from '../../plugin/host.js'
import { isIntactTable } from './leveldb-table.js'

const PAUSE_MS = 20

export class TableReader {
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #reading: Promise<void> | undefined
  #stopped = false

  constructor(paths: readonly string[], log: Logger) {
    this.#log = log
    this.#next([...paths])
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#reading
  }

  #next(paths: string[]): void {
    const path = paths.shift()
    if (path === undefined || this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#reading = this.#read(path).then(() => this.#next(paths))
    }, PAUSE_MS)
    this.#timer.unref()
  }

  async #read(path: string): Promise<void> {
    try {
      if (isIntactTable(await readFile(path))) return
      this.#log.error({ file: path }, 'a file of the store was changed: messages in it are lost or wrong')
    } catch (error) {
      // LevelDB removes tables whose content is in newer ones
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
      this.#log.error({ file: path, err: error }, 'a file of the store cannot be read')
    }
  }
}
