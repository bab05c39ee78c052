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

  constructor(options: ReplaysOptions) {
    this.#options = options
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
  start({ clientId, filters, replayTo, packetId }: ReplayRequest): void {
    const plan = new ReplayPlan(filters)
    // the newer one brings all that an older one still would
    if (replayTo === undefined) this.left(clientId, plan.filters, true)
    const target: ReplayTarget =
      replayTo === undefined
        ? { address: this.#options.queueOf(clientId) }
        : { address: replayTo, marker: encodeReplayed(replayTo, clientId, packetId) }
    const running: Running = {
      replay: new Replay(this.#options, plan, target),
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

  /** Nobody wants copies for these filters any more; `queueOnly`: in the session's queue. */
  left(clientId: string, filters: Iterable<string>, queueOnly = false): void {
    const left = [...filters]
    for (const running of this.#running.get(clientId) ?? []) {
      const { plan, target } = running.replay
      if (queueOnly && target.marker !== undefined) continue
      for (const filter of left) plan.leave(filter)
      // to another address the marker is still owed
      if (plan.filters.size === 0 && target.marker === undefined) abort(running)
    }
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
  }

  /** Aborts all of them. */
  async close(): Promise<void> {
    for (const clientId of this.#running.keys()) this.end(clientId, true)
    await Promise.all(this.#ends)
  }

  #forget(clientId: string, running: Running): void {
    const left = this.#running.get(clientId)?.filter(each => each !== running) ?? []
    if (left.length === 0) this.#running.delete(clientId)
    else this.#running.set(clientId, left)
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
