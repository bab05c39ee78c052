// Ids of messages that a space took, so that a message that comes again under its id is not taken twice.
// Rule: an id is on disk with the batch of its message; the last `limit` ids of all addresses together are known, and a few more,
// also after a restart and wherever the process ended.

import { createHash } from 'node:crypto'
import { Backlog } from './backlog.js'
import { DUPLICATE_IDS, numberOfIds, takenIdsKey } from './keys.js'
import type { Store, Touched } from './store.js'

/** Of the hash of an address and an id, which may both be long: two that are the same do not happen. */
const DIGEST_BYTES = 16
/** Ids of one record. */
const BLOCK_IDS = 128

/** Ids in one record of the store, in the order in which they were taken. */
interface Block {
  readonly number: number
  readonly ids: string[]
}

export class TakenIds implements Touched {
  readonly #store: Store
  readonly #maxBlocks: number
  readonly #known = new Set<string>()
  /** the oldest first; the last one is filled */
  readonly #blocks = new Backlog<Block>()
  readonly #changed = new Set<Block>()

  private constructor(store: Store, limit: number) {
    this.#store = store
    this.#maxBlocks = Math.ceil(limit / BLOCK_IDS) + 1
  }

  static async load(store: Store, limit: number): Promise<TakenIds> {
    const taken = new TakenIds(store, limit)
    for await (const [key, value] of store.entries(DUPLICATE_IDS)) {
      const block = taken.#addBlock(numberOfIds(key))
      for (let at = 0; at + DIGEST_BYTES <= value.length; at += DIGEST_BYTES) {
        taken.#add(block, value.toString('latin1', at, at + DIGEST_BYTES))
      }
    }
    return taken
  }

  /** False where a message with the id was taken at this address before. The id is put into the store's present batch. */
  take(address: string, id: Uint8Array): boolean {
    const digest = digestOf(address, id)
    if (this.#known.has(digest)) return false
    let block = this.#blocks.last()
    if (block === undefined || block.ids.length >= BLOCK_IDS) block = this.#addBlock((block?.number ?? 0) + 1)
    this.#add(block, digest)
    this.#change(block)
    return true
  }

  /** The message of the last take was not taken after all. */
  giveBack(): void {
    const block = this.#blocks.last()
    const digest = block?.ids.pop()
    if (block === undefined || digest === undefined) return
    this.#known.delete(digest)
    this.#change(block)
  }

  beforeWrite(): void {
    for (const { number, ids } of this.#changed) {
      this.#store.put(takenIdsKey(number), Buffer.from(ids.join(''), 'latin1'))
    }
    this.#changed.clear()
  }

  #add(block: Block, digest: string): void {
    block.ids.push(digest)
    this.#known.add(digest)
  }

  #change(block: Block): void {
    this.#changed.add(block)
    this.#store.touch(this)
  }

  /** The oldest one goes where there are too many. */
  #addBlock(number: number): Block {
    const block = { number, ids: [] }
    this.#blocks.push(block)
    const oldest = this.#blocks.length > this.#maxBlocks ? this.#blocks.shift() : undefined
    if (oldest !== undefined) {
      for (const digest of oldest.ids) this.#known.delete(digest)
      this.#changed.delete(oldest)
      this.#store.delete(takenIdsKey(oldest.number))
    }
    return block
  }
}

/** No address has a NUL. */
function digestOf(address: string, id: Uint8Array): string {
  const hash = createHash('sha256').update(address).update('\0').update(id).digest()
  return hash.toString('latin1', 0, DIGEST_BYTES)
}
