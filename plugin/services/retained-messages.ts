// The retained messages of one address space, in the host's store under their topics.
// Rule: what has expired is not there, and is deleted when it is met, unless something newer is on its way to its place. What is
// no record is set aside: moved to where nobody reads it, and reported. What was removed leaves a record of that for as long as a
// copy of it may be the last of its topic somewhere: nothing else would tell the next service.

import type { KeyedStore, Logger, Message } from '../host.js'
import {
  isExpired,
  isRemovedRecord,
  isRetainedRecord,
  removedRecord,
  RETAINED_STORE,
  type RetainedUpdate
} from '../messages/retained.js'
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

/** Who must know what was removed. */
export interface RemovalKeeper {
  /** A removal that is written now must be known. */
  mayNeed(topic: string): boolean
  /** One that is known must stay so. */
  stillNeeds(topic: string): boolean
}

export class RetainedMessages {
  readonly #options: RetainedMessagesOptions
  /** writes that are under way, by topic */
  readonly #writing = new Map<string, number>()
  /** what is looked at again, to be removed */
  readonly #clearing = new Set<string>()
  readonly #watchers = new Set<(topic: string) => void>()
  readonly #known = new KnownTopics()
  /** topics with a record of their removal */
  readonly #removed = new Set<string>()
  #keeper: RemovalKeeper = { mayNeed: () => false, stillNeeds: () => false }

  constructor(options: RetainedMessagesOptions) {
    this.#options = options
  }

  keepRemovalsFor(keeper: RemovalKeeper): void {
    this.#keeper = keeper
  }

  /** The keeper may not need these any more; undefined: any of them. */
  released(topics: Iterable<string> = this.#removed): void {
    if (this.#removed.size === 0) return
    for (const topic of [...topics])
      if (this.#removed.has(topic) && !this.#keeper.stillNeeds(topic)) void this.#clearAway(topic)
  }

  /** An update of it is under way. */
  isChanging(topic: string): boolean {
    return this.#writing.has(topic)
  }

  /** Resolves when it is durable. Updates of one topic keep their order. */
  async apply({ topic, record }: RetainedUpdate): Promise<void> {
    const { store } = this.#options
    this.#clearing.delete(topic)
    const kept = record ?? this.#removalOf(topic)
    if (kept !== undefined) this.#known.add(topic)
    if (record === undefined && kept !== undefined) this.#removed.add(topic)
    else this.#removed.delete(topic)
    this.#writing.set(topic, (this.#writing.get(topic) ?? 0) + 1)
    try {
      await (kept === undefined ? store.delete(topic) : store.put(topic, kept))
    } finally {
      const left = (this.#writing.get(topic) ?? 1) - 1
      if (left > 0) this.#writing.set(topic, left)
      else this.#writing.delete(topic)
      for (const watcher of this.#watchers) watcher(topic)
      this.released([topic])
    }
  }

  #removalOf(topic: string): Message | undefined {
    return this.#known.mayHave(topic) && this.#keeper.mayNeed(topic) ? removedRecord(topic) : undefined
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
    const record = await this.#read(topic)
    return record && isRemovedRecord(record, topic) ? undefined : record
  }

  /** It was removed, and that is known. */
  async isRemoved(topic: string): Promise<boolean> {
    const record = await this.#read(topic)
    return record !== undefined && isRemovedRecord(record, topic)
  }

  async #read(topic: string): Promise<Message | undefined> {
    if (!this.#known.mayHave(topic)) return undefined
    const record = await this.#options.store.get(topic)
    if (record === undefined || this.#isThere(topic, record)) return record
    void this.#clearAway(topic)
    return undefined
  }

  /**
   * Topics that begin with `prefix` and come after `after`, in the order of their UTF-8 bytes, those that were removed and are known to
   * be so among them; what is not `wanted` is as it is found.
   */
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
      if (!wanted(topic) || this.#isThere(topic, record)) yield [topic, record]
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

  /** It is good, or the record of a removal that is still needed. */
  #isThere(topic: string, record: Message): boolean {
    const verdict = this.#judge(topic, record)
    if (verdict !== 'removed') return verdict === 'good'
    this.#removed.add(topic)
    this.#known.add(topic)
    return this.#keeper.stillNeeds(topic)
  }

  #judge(topic: string, record: Message): 'good' | 'expired' | 'removed' | 'damaged' {
    if (isRemovedRecord(record, topic)) return 'removed'
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
      const stays = verdict === 'good' || (verdict === 'removed' && this.#keeper.stillNeeds(topic))
      if (verdict === 'good') this.#removed.delete(topic)
      if (!this.#clearing.delete(topic) || stays) return
      this.#removed.delete(topic)
      await store.delete(topic)
    } finally {
      this.#clearing.delete(topic)
    }
  }
}
