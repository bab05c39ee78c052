// The retained messages of one address space, in the host's store under their topics.
// Rule: what has expired is not there, and is deleted when it is met, unless something newer is on its way to its place. What is
// no record is set aside: moved to where nobody reads it, and reported.

import type { KeyedStore, Logger, Message } from '../host.js'
import { isExpired, isRetainedRecord, RETAINED_STORE, type RetainedUpdate } from '../messages/retained.js'
import type { DamagedRecords } from './damaged-records.js'
import { KnownTopics } from './known-topics.js'

/** Records that are cleared away at once, before whoever finds them waits. */
const MAX_CLEARING = 100

/** What there is where no topic is. */
const NONE: AsyncIterable<never> = {
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) })
}

export interface RetainedMessagesOptions {
  readonly store: KeyedStore
  readonly damaged: DamagedRecords
  readonly log: Logger
  /** ms since 1970 */
  readonly now: () => number
}

export class RetainedMessages {
  readonly #options: RetainedMessagesOptions
  /** writes that are under way, by topic */
  readonly #writing = new Map<string, number>()
  /** what is looked at again, to be removed */
  readonly #clearing = new Set<string>()
  readonly #watchers = new Set<(topic: string) => void>()
  readonly #known = new KnownTopics()

  constructor(options: RetainedMessagesOptions) {
    this.#options = options
  }

  /** Resolves when it is durable. Updates of one topic keep their order. */
  async apply({ topic, record }: RetainedUpdate): Promise<void> {
    const { store } = this.#options
    this.#clearing.delete(topic)
    if (record !== undefined) this.#known.add(topic)
    this.#writing.set(topic, (this.#writing.get(topic) ?? 0) + 1)
    try {
      await (record === undefined ? store.delete(topic) : store.put(topic, record))
    } finally {
      const left = (this.#writing.get(topic) ?? 1) - 1
      if (left > 0) this.#writing.set(topic, left)
      else this.#writing.delete(topic)
      for (const watcher of this.#watchers) watcher(topic)
    }
  }

  /** Calls `watcher` with each topic whose update is durable, or has failed; what is called ends that. */
  watch(watcher: (topic: string) => void): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  /** False: there is none of these topics, nor one that begins with one of these prefixes. */
  mayHave(topics: readonly string[], prefixes: readonly string[]): boolean {
    return (
      topics.some(topic => this.#known.mayHave(topic)) ||
      prefixes.some(prefix => this.#known.mayHaveBelow(prefix))
    )
  }

  async get(topic: string): Promise<Message | undefined> {
    if (!this.#known.mayHave(topic)) return undefined
    const record = await this.#options.store.get(topic)
    if (record === undefined || this.#judge(topic, record) === 'good') return record
    void this.#clearAway(topic)
    return undefined
  }

  /** Topics that begin with `prefix` and come after `after`, in the order of their UTF-8 bytes; what is not `wanted` is as it is found. */
  entries(
    prefix: string,
    after?: string,
    wanted: (topic: string) => boolean = () => true
  ): AsyncIterable<readonly [topic: string, record: Message]> {
    return this.#known.mayHaveBelow(prefix) ? this.#stored(prefix, after, wanted) : NONE
  }

  /**
   * All topics that come after `after`, looked at. When one from the first topic on, or what went on where that was left, has come to its
   * end, it is known which topics there are.
   */
  async *survey(after: string | undefined): AsyncIterable<string> {
    if (after === undefined) this.#known.begin(this.#writing.keys())
    for await (const [topic] of this.#stored('', after, () => true)) {
      this.#known.add(topic)
      yield topic
    }
    this.#known.complete()
  }

  async *#stored(
    prefix: string,
    after: string | undefined,
    wanted: (topic: string) => boolean
  ): AsyncIterable<readonly [topic: string, record: Message]> {
    for await (const [topic, record] of this.#options.store.entries(prefix, after)) {
      if (!wanted(topic) || this.#judge(topic, record) === 'good') yield [topic, record]
      else {
        const cleared = this.#clearAway(topic)
        if (this.#clearing.size >= MAX_CLEARING) await cleared
      }
    }
  }

  /** Never rejects. */
  #clearAway(topic: string): Promise<void> {
    const { log } = this.#options
    return this.#clear(topic).catch((error: unknown) =>
      log.warn({ topic, err: error }, 'a retained message that is over could not be removed')
    )
  }

  #judge(topic: string, record: Message): 'good' | 'expired' | 'damaged' {
    if (!isRetainedRecord(record, topic)) return 'damaged'
    return isExpired(record, this.#options.now()) ? 'expired' : 'good'
  }

  /** What was read may be old by now: it is read again, and left where an update comes meanwhile. */
  async #clear(topic: string): Promise<void> {
    const { store, damaged } = this.#options
    if (this.#writing.has(topic) || this.#clearing.has(topic)) return
    this.#clearing.add(topic)
    try {
      const record = await store.get(topic)
      const verdict = record === undefined ? 'good' : this.#judge(topic, record)
      if (record !== undefined && verdict === 'damaged') await damaged.keep(RETAINED_STORE, topic, record)
      if (this.#clearing.delete(topic) && verdict !== 'good') await store.delete(topic)
    } finally {
      this.#clearing.delete(topic)
    }
  }
}
