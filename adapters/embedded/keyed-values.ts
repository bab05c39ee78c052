// A keyed store of messages in the space's store.
// Rule: the promise of a write says that it is on disk; writes to one key are in the order of the calls.

import type { KeyedStore, Message } from '../../plugin/host.js'
import { EncodedMessage, encodeMessage } from '../rhea/message.js'
import { prefixRange, valuePrefix, type KeyRange } from './keys.js'
import type { Store } from './store.js'

/** Entries of a page at most. */
const PAGE_ENTRIES = 1000

export class KeyedValues implements KeyedStore {
  readonly #store: Store
  readonly #name: string
  readonly #prefixBytes: number

  /** Throws a RangeError for a name with a NUL. */
  constructor(store: Store, name: string) {
    if (name.includes('\0')) throw new RangeError('the name of a store has no NUL')
    this.#store = store
    this.#name = name
    this.#prefixBytes = valuePrefix(name).length
  }

  async put(key: string, value: Message): Promise<void> {
    this.#store.put(valuePrefix(this.#name, key), encodeMessage(value).bytes)
    await this.#store.durable()
  }

  async get(key: string): Promise<Message | undefined> {
    const value = await this.#store.get(valuePrefix(this.#name, key))
    return value === undefined ? undefined : new EncodedMessage(value)
  }

  async delete(key: string): Promise<void> {
    this.#store.delete(valuePrefix(this.#name, key))
    await this.#store.durable()
  }

  /**
   * Keys and values in turns, in order, from the first key after `after`, about `bytes` of them; none: there are no more.
   */
  async page(prefix: string, after: string | undefined, bytes: number): Promise<readonly Uint8Array[]> {
    const { entries } = await this.#store.read(this.#range(prefix, after), PAGE_ENTRIES, bytes)
    return entries.flatMap(([key, value]) => [key.subarray(this.#prefixBytes), value])
  }

  async *entries(prefix = '', after?: string): AsyncGenerator<readonly [key: string, value: Message]> {
    for await (const [key, value] of this.#store.entries(this.#range(prefix, after))) {
      yield [key.toString('utf8', this.#prefixBytes), new EncodedMessage(value)]
    }
  }

  #range(prefix: string, after: string | undefined): KeyRange {
    const { gte, lt } = prefixRange(valuePrefix(this.#name, prefix))
    if (after === undefined) return { gte, lt }
    const next = Buffer.concat([valuePrefix(this.#name, after), Buffer.of(0)])
    if (Buffer.compare(next, lt) > 0) return { gte: lt, lt }
    return { gte: Buffer.compare(next, gte) > 0 ? next : gte, lt }
  }
}
