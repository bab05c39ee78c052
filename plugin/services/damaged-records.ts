// Stored records that say nothing: damaged, or of another version.
// Rule: none is lost. It goes to a store that nobody reads, under the names of its own store and key, and is reported once.

import type { KeyedStore, Logger, Message } from '../host.js'

/** Name of the store; its keys are `<store>/<key>`. */
export const DAMAGED_STORE = 'damaged'

export class DamagedRecords {
  readonly #store: KeyedStore
  readonly #log: Logger

  constructor(store: KeyedStore, log: Logger) {
    this.#store = store
    this.#log = log
  }

  /** Resolves when the record is safe here; then it may be removed where it was. */
  async keep(store: string, key: string, record: Message): Promise<void> {
    this.#log.error({ store, key }, 'a stored record cannot be used and was set aside')
    await this.#store.put(`${store}/${key}`, record)
  }
}
