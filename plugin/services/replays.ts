// The replays that are under way, by client.
// Rule: they run beside the requests of their clients and beside each other. A replay into a session's queue is repeated until it has
// come to its end, for the session's record says that it is owed; one to another address goes with that.

import { Backoff } from '../backoff.js'
import { AmqpError, CONDITIONS } from '../errors.js'
import type { Logger } from '../host.js'
import { encodeReplayed } from '../messages/replay.js'
import { Replay, ReplayAborted, type ReplaySources, type ReplayTarget } from './replay.js'
import { ReplayPlan } from './replay-plan.js'

/** Replays of one client at once. */
const MAX_PER_CLIENT = 100
const MIN_DELAY_MS = 20
const MAX_DELAY_MS = 5000

export interface ReplayRequest {
  readonly clientId: string
  readonly filters: Iterable<string>
  /** undefined: to the queue of the client's session */
  readonly replayTo?: string | undefined
  readonly packetId?: number | undefined
}

/** Topics of one client whose copies are unsure, and nobody's, at most: those of before are forgotten. */
const MAX_UNSURE = 10_000

export interface ReplaysOptions extends ReplaySources {
  /** of the client's session */
  readonly queueOf: (clientId: string) => string
  readonly log: Logger
  /** The queue of the session has what these filters asked for. */
  readonly onFilled: (clientId: string, filters: ReadonlySet<string>) => void
}

interface Running {
  readonly replay: Replay
  over: boolean
  /** ends a wait */
  wake: (() => void) | undefined
}

export class Replays {
  readonly #options: ReplaysOptions
  readonly #running = new Map<string, Running[]>()
  readonly #ends = new Set<Promise<void>>()
  /** of clients: topics that replays have left unsure which ended early, for the next one that is asked for */
  readonly #unsure = new Map<string, Set<string>>()
  /** until replays of the service before this one are known */
  #recovering = true
  /** what is unsure is the next service's to look after */
  #closed = false

  constructor(options: ReplaysOptions) {
    this.#options = options
    options.messages.keepRemovalsFor({
      mayNeed: topic => this.#recovering || this.#closed || this.#isUnsure(topic),
      stillNeeds: topic => this.#recovering || this.#closed || this.#isResuming || this.#isUnsure(topic)
    })
  }

  /** Goes on with what the service before this one owed. What was accepted before this is in the feed. */
  resume(owing: Iterable<readonly [clientId: string, filters: Iterable<string>]>): void {
    for (const [clientId, filters] of owing) this.#start({ clientId, filters }, true)
    // what is removed after that comes live after the copies of before
    void this.#options.feed.passed().then(
      () => {
        this.#recovering = false
        this.#options.messages.released()
      },
      () => undefined // the service stops
    )
  }

  /** Throws AmqpError where the client may have no more of them. */
  check(clientId: string): void {
    if ((this.#running.get(clientId)?.length ?? 0) >= MAX_PER_CLIENT) {
      throw new AmqpError(
        CONDITIONS.resourceLimit,
        `client ${clientId} has ${MAX_PER_CLIENT} replays of retained messages under way: receive them first`
      )
    }
  }

  /** Never rejects, and waits for nobody. */
  start(request: ReplayRequest): void {
    this.#start(request, false)
  }

  #start({ clientId, filters, replayTo, packetId }: ReplayRequest, resumed: boolean): void {
    const plan = new ReplayPlan(filters)
    // the newer one brings all that an older one still would
    const replaced = replayTo === undefined ? this.#leave(clientId, plan.filters, true) : []
    const target: ReplayTarget =
      replayTo === undefined
        ? { address: this.#options.queueOf(clientId) }
        : { address: replayTo, marker: encodeReplayed(replayTo, clientId, packetId) }
    const running: Running = {
      replay: new Replay(this.#options, plan, target, {
        unsure: replayTo === undefined ? this.#takeUnsure(clientId, plan) : [],
        resumed: resumed || replaced.some(({ replay }) => replay.resumed)
      }),
      over: false,
      wake: undefined
    }
    const all = this.#running.get(clientId)
    if (all === undefined) this.#running.set(clientId, [running])
    else all.push(running)
    const end = this.#run(clientId, running).finally(() => {
      this.#ends.delete(end)
      this.#forget(clientId, running)
    })
    this.#ends.add(end)
  }

  /** Nobody wants copies for these filters any more. */
  left(clientId: string, filters: Iterable<string>): void {
    this.#leave(clientId, filters, false)
  }

  /** Those that had one of them. `queueOnly`: copies into the session's queue. */
  #leave(clientId: string, filters: Iterable<string>, queueOnly: boolean): Running[] {
    const left = [...filters]
    const had: Running[] = []
    for (const running of this.#running.get(clientId) ?? []) {
      const { plan, target } = running.replay
      if (queueOnly && target.marker !== undefined) continue
      if (left.some(filter => plan.filters.has(filter))) had.push(running)
      for (const filter of left) plan.leave(filter)
      // to another address the marker is still owed
      if (plan.filters.size === 0 && target.marker === undefined) abort(running)
    }
    return had
  }

  /** Copies for this filter are on their way to the session's queue. */
  isFilling(clientId: string, filter: string): boolean {
    const all = this.#running.get(clientId) ?? []
    return all.some(
      ({ replay, over }) => !over && replay.target.marker === undefined && replay.plan.filters.has(filter)
    )
  }

  /** The connection that asked is gone: what goes to an address of its own ends. `all`: so is the session. */
  end(clientId: string, all: boolean): void {
    for (const running of this.#running.get(clientId) ?? [])
      if (all || running.replay.target.marker !== undefined) abort(running)
    if (all) this.#options.messages.released(this.#takeUnsure(clientId))
  }

  /** Aborts all of them; their sessions stay. */
  async close(): Promise<void> {
    this.#closed = true
    for (const all of this.#running.values()) for (const running of all) abort(running)
    await Promise.all(this.#ends)
  }

  #isUnsure(topic: string): boolean {
    for (const each of this.#unsure.values()) if (each.has(topic)) return true
    for (const all of this.#running.values())
      if (all.some(({ replay }) => replay.isUnsure(topic))) return true
    return false
  }

  get #isResuming(): boolean {
    for (const all of this.#running.values())
      if (all.some(({ replay, over }) => replay.resumed && !over)) return true
    return false
  }

  /** What of this client is unsure, and nobody else's; `plan`: what matches it alone. */
  #takeUnsure(clientId: string, plan?: ReplayPlan): string[] {
    const isWanted = (topic: string): boolean => plan?.matches(topic) !== false
    const running = this.#running.get(clientId) ?? []
    const taken = running.flatMap(({ replay }) => replay.handOver(isWanted))
    const left = this.#unsure.get(clientId)
    for (const topic of left ?? []) {
      if (!isWanted(topic)) continue
      left?.delete(topic)
      taken.push(topic)
    }
    if (left?.size === 0) this.#unsure.delete(clientId)
    return taken
  }

  /** Kept until somebody takes it. */
  #keepUnsure(clientId: string, topics: readonly string[]): void {
    if (topics.length === 0) return
    const kept = new Set([...(this.#unsure.get(clientId) ?? []), ...topics])
    this.#unsure.set(clientId, new Set([...kept].slice(-MAX_UNSURE)))
  }

  #forget(clientId: string, running: Running): void {
    const left = this.#running.get(clientId)?.filter(each => each !== running) ?? []
    if (left.length === 0) this.#running.delete(clientId)
    else this.#running.set(clientId, left)
    this.#keepUnsure(
      clientId,
      running.replay.handOver(() => true)
    )
    if (running.replay.resumed && !this.#isResuming) this.#options.messages.released()
  }

  async #run(clientId: string, running: Running): Promise<void> {
    const { log, onFilled } = this.#options
    const { replay } = running
    const { address, marker } = replay.target
    const backoff = new Backoff(MIN_DELAY_MS, MAX_DELAY_MS)
    while (!running.over) {
      try {
        await replay.run()
        running.over = true
        if (marker === undefined) onFilled(clientId, replay.plan.filters)
        return
      } catch (error) {
        if (error instanceof ReplayAborted || running.over) return
        if (!(error instanceof AmqpError))
          log.error({ clientId, address, err: error }, 'retained messages could not be replayed')
        else log.debug({ clientId, address, err: error }, 'a replay of retained messages was cut off')
        if (marker !== undefined) return
        await pause(running, backoff.next())
      }
    }
  }
}

function abort(running: Running): void {
  running.over = true
  running.replay.abort()
  running.wake?.()
}

function pause(running: Running, ms: number): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms)
    running.wake = () => {
      clearTimeout(timer)
      resolve()
    }
  })
}
