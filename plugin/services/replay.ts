// One replay: copies of the retained messages that some filters of a client match, to one address.
// Rule: paced by credit, and without it neither a turn at the store nor a page of it is held. Into a session's queue, where newer
// publications come live, copies are sent until the last message of each topic is the newest:
// a copy may be older than what came live before it if its topic changed between the read and a marker that was sent after the copy.
// Then it is sent again, unless the topic changed once more after that marker: that publication comes live, after the copy. Until that
// is known the topic is unsure, and one replay hands it on to the next.

import { randomBytes } from 'node:crypto'
import type { AmqpConnection, Message } from '../host.js'
import { isRemovedRecord, retainedCopy, retainedRemoval } from '../messages/retained.js'
import { PacedSender } from './paced-sender.js'
import type { ReadingTurns } from './reading-turns.js'
import type { ReplayPlan } from './replay-plan.js'
import type { RetainedFeed } from './retained-feed.js'
import type { RetainedMessages } from './retained-messages.js'

/** Without credit for longer, a replay gives its turn to others, ms. */
const STALL_MS = 20
/** Topics without a wildcard that are read in one go. */
const PART_TOPICS = 500
/** Topics that may change in one go; more of them, and it is done again. */
const MAX_CHANGED = 10_000
const UID_BYTES = 16
/** Copies without an outcome: on their way to a disk, or to a client that may take none for long. */
const QUEUE_WINDOW = 500
const CLIENT_WINDOW = 10

export interface ReplaySources {
  readonly connection: AmqpConnection
  readonly feed: RetainedFeed
  readonly messages: RetainedMessages
  readonly turns: ReadingTurns
}

/** Where copies go. */
export interface ReplayTarget {
  readonly address: string
  /** after the last copy; undefined: a session's own queue, where publications come live */
  readonly marker?: Message | undefined
}

/** What a replay into a queue goes on with. */
export interface Beginning {
  /** topics with a copy in the queue that may be old */
  readonly unsure: Iterable<string>
  /** a service that has died has begun it: what is known to be removed may be among its copies */
  readonly resumed: boolean
}

const NEW: Beginning = { unsure: [], resumed: false }

/** Where a reading goes on: behind this topic. */
interface Place {
  readonly after: string | undefined
}

/** Nobody wants it any more. */
export class ReplayAborted extends Error {}

export class Replay {
  readonly plan: ReplayPlan
  readonly target: ReplayTarget
  readonly resumed: boolean
  /** of copies into a queue: those that may be the last of their topic, and old */
  readonly #unsure: Set<string>
  readonly #sources: ReplaySources
  #sender: PacedSender | undefined
  /** of a copying into a queue: topics that have changed since it was asked last */
  #changed: Set<string> | undefined
  #aborted: ReplayAborted | undefined

  constructor(sources: ReplaySources, plan: ReplayPlan, target: ReplayTarget, beginning = NEW) {
    this.resumed = beginning.resumed
    this.#unsure = new Set(beginning.unsure)
    this.#sources = sources
    this.plan = plan
    this.target = target
  }

  /** Resolves when all copies were accepted. Rejects with AmqpError where the address is gone, with ReplayAborted after abort(). */
  async run(): Promise<void> {
    const { connection, feed } = this.#sources
    await feed.passed()
    this.#goOn()
    const { address, marker } = this.target
    const window = marker === undefined ? QUEUE_WINDOW : CLIENT_WINDOW
    const isWanted = ({ properties: { to = '' } }: Message): boolean =>
      marker !== undefined || this.plan.matches(to)
    const sender = await PacedSender.open(connection, address, window, isWanted)
    this.#sender = sender
    try {
      this.#goOn()
      if (marker === undefined) await this.#fill(sender)
      else {
        const { topics, prefixes } = this.plan
        if (this.#sources.messages.mayHave(topics, prefixes)) await this.#copyAll(sender)
        if (await sender.ready()) sender.send(marker)
      }
      await sender.flushed()
    } finally {
      await sender.close()
    }
  }

  isUnsure(topic: string): boolean {
    return this.#unsure.has(topic)
  }

  /** Unsure topics that are not its own any more, for who takes those that are `wanted`. */
  handOver(wanted: (topic: string) => boolean): string[] {
    const isOwn = (topic: string): boolean => this.#aborted === undefined && this.plan.matches(topic)
    const handed = [...this.#unsure].filter(topic => !isOwn(topic) && wanted(topic))
    for (const topic of handed) this.#unsure.delete(topic)
    return handed
  }

  abort(): void {
    this.#aborted = new ReplayAborted('the replay was aborted')
    this.#sender?.fail(this.#aborted)
  }

  #goOn(): void {
    if (this.#aborted !== undefined) throw this.#aborted
  }

  /** Copies into a queue: while they are read, it is known what changes. */
  async #fill(sender: PacedSender): Promise<void> {
    const unwatch = this.#sources.messages.watch(topic => {
      const changed = this.#changed
      if (changed !== undefined && changed.size <= MAX_CHANGED && this.plan.matches(topic)) changed.add(topic)
    })
    try {
      if (this.#unsure.size > 0) await this.#part(sender, () => Promise.resolve())
      await this.#copyAll(sender)
    } finally {
      unwatch()
    }
  }

  async #copyAll(sender: PacedSender): Promise<void> {
    const { topics, prefixes } = this.plan
    for (let i = 0; i < topics.length; i += PART_TOPICS) {
      await this.#part(sender, async () => {
        for (const topic of topics.slice(i, i + PART_TOPICS)) await this.#copy(sender, topic)
      })
    }
    for (const prefix of prefixes) await this.#copyRange(sender, prefix)
  }

  async #copyRange(sender: PacedSender, prefix: string): Promise<void> {
    const { turns } = this.#sources
    let place: Place | undefined = { after: undefined }
    while (place !== undefined) {
      const from: Place = place
      await sender.ready()
      place = await this.#part(sender, () =>
        turns.take(turn => this.#read(sender, prefix, from, turn.isOver))
      )
    }
  }

  /** Sends some copies; for a queue again and again, until the last message of each of their topics is the newest. */
  async #part<T>(sender: PacedSender, send: () => Promise<T>): Promise<T> {
    if (this.target.marker !== undefined) return send()
    for (;;) {
      this.#changed = new Set()
      // what is still there is read anyway
      for (const topic of [...this.#unsure])
        if ((await this.#sources.messages.get(topic)) === undefined) await this.#copy(sender, topic, true)
      const sent = await send()
      if (!(await this.#renew(sender))) continue
      // those that it may not send again wait for who may
      const sure = [...this.#unsure].filter(topic => this.plan.matches(topic))
      for (const topic of sure) this.#unsure.delete(topic)
      this.#sources.messages.released(sure)
      return sent
    }
  }

  /** False where more has changed than is known. */
  async #renew(sender: PacedSender): Promise<boolean> {
    const { feed } = this.#sources
    let stale = await this.#changedAfter(sender)
    while (stale !== undefined && stale.size > 0) {
      await feed.passed()
      const changed = this.#takeChanged()
      if (changed === undefined) return false
      const sent = [...stale].filter(topic => !changed.has(topic))
      for (const topic of sent) await this.#copy(sender, topic, true)
      const since = await this.#changedAfter(sender)
      stale = since && new Set(sent.filter(topic => since.has(topic)))
    }
    return stale !== undefined
  }

  /** What has changed since it was asked last, until a marker passed after all copies. */
  async #changedAfter(sender: PacedSender): Promise<ReadonlySet<string> | undefined> {
    await sender.flushed()
    await this.#sources.feed.passed()
    return this.#takeChanged()
  }

  /** undefined: too much. */
  #takeChanged(): ReadonlySet<string> | undefined {
    this.#goOn()
    const changed = this.#changed ?? new Set()
    this.#changed = new Set()
    return changed.size > MAX_CHANGED ? undefined : changed
  }

  /** `again`: a copy may be in the queue after what came live, and then a removal must be after it. */
  async #copy(sender: PacedSender, topic: string, again = false): Promise<void> {
    if (!this.plan.matches(topic)) return
    await sender.ready()
    const { messages } = this.#sources
    const record = await messages.get(topic)
    const gone = record === undefined && (again || (this.resumed && (await messages.isRemoved(topic))))
    this.#goOn()
    this.#send(sender, topic, gone ? 'removed' : record)
  }

  /** Where to go on in another turn; undefined: the end was reached. */
  async #read(
    sender: PacedSender,
    prefix: string,
    from: Place,
    isOver: () => boolean
  ): Promise<Place | undefined> {
    const wanted = (topic: string): boolean => this.plan.matches(topic) && !this.#isStale(topic)
    let place = from
    for await (const [topic, record] of this.#sources.messages.entries(prefix, from.after, wanted)) {
      this.#goOn()
      if (wanted(topic)) {
        if (!(await sender.ready(STALL_MS))) return place
        if (!isRemovedRecord(record, topic)) this.#send(sender, topic, record)
        else if (this.resumed) this.#send(sender, topic, 'removed')
      }
      place = { after: topic }
      if (isOver()) return place
    }
    return undefined
  }

  #isStale(topic: string): boolean {
    return this.#changed?.has(topic) === true
  }

  /** undefined: nothing to send. */
  #send(sender: PacedSender, topic: string, what: Message | 'removed' | undefined): void {
    const toQueue = this.target.marker === undefined
    // changed since it was read: what came live is the newest, or it is sent after the next marker
    const isOld = this.#isStale(topic) || (toQueue && this.#sources.messages.isChanging(topic))
    if (what === undefined || isOld || !this.plan.matches(topic)) return
    if (toQueue) this.#unsure.add(topic)
    const uid = randomBytes(UID_BYTES)
    sender.send(what === 'removed' ? retainedRemoval(topic, uid) : retainedCopy(what, uid, toQueue))
  }
}
