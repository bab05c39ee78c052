// Durable sessions that nobody comes back for.
// Rule: a session's record says since when nobody has received from its queue, so that restarts do not begin to count again; whoever
// asks for something under its client id, or receives, ends that. It goes when its time is over, in its client's turn, with all it has.

import type { Config } from '../config.js'
import type { Counter, Logger, Queues } from '../host.js'
import { SESSION_QUEUES } from '../messages/addresses.js'
import { spellingOf, type Spelling } from '../messages/peer.js'
import type { ClientSession, ClientSessions } from './client-sessions.js'
import type { ClientTurns } from './client-turns.js'

/** Between two sweeps, ms; a quarter of the time that a session has, where that is less. */
const MAX_SWEEP_MS = 60_000
const MIN_SWEEP_MS = 10

export interface AbandonedSessionsOptions {
  readonly queues: Pick<Queues, 'unattended'>
  readonly sessions: Pick<ClientSessions, 'get' | 'durable' | 'setLeftAt' | 'remove'>
  readonly turns: ClientTurns
  readonly config: () => Config
  readonly expired: Counter
  readonly log: Logger
  /** ms since 1970 */
  readonly now: () => number
}

export class AbandonedSessions {
  readonly #options: AbandonedSessionsOptions
  readonly #spelling: Spelling
  #timer: NodeJS.Timeout | undefined
  #sweeping: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: AbandonedSessionsOptions) {
    this.#options = options
    this.#spelling = spellingOf(options.config().services.peer)
  }

  /** Sweeps now and then from now on; again: as the configuration says now. */
  start(): void {
    if (this.#stopped) return
    clearTimeout(this.#timer)
    const { abandonedAfterMs } = this.#options.config().sessions
    const ms = Math.max(MIN_SWEEP_MS, Math.min(MAX_SWEEP_MS, abandonedAfterMs / 4))
    this.#timer = setTimeout(() => {
      this.#sweeping = this.#sweepSafely().then(() => this.start())
    }, ms)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#sweeping
  }

  async #sweepSafely(): Promise<void> {
    try {
      await this.sweep()
    } catch (error) {
      if (!this.#stopped) this.#options.log.warn({ err: error }, 'abandoned sessions could not be looked for')
    }
  }

  /** One look at all sessions. Rejects where the host does not say who receives. */
  async sweep(): Promise<void> {
    const { queues, sessions, now } = this.#options
    const unattended = new Set<string>()
    for (const queue of await queues.unattended(SESSION_QUEUES)) {
      const clientId = this.#spelling.clientOf(queue)
      if (clientId !== undefined) unattended.add(clientId)
    }
    const turns: Promise<void>[] = []
    for (const [clientId, session] of sessions.durable()) {
      const { leftAt } = session
      if (!unattended.has(clientId)) {
        if (leftAt !== undefined) turns.push(this.#take(clientId, () => this.#attended(clientId)))
      } else if (leftAt === undefined || leftAt > now() || this.#isOver(session, leftAt))
        turns.push(this.#take(clientId, () => this.#unattended(clientId)))
    }
    await Promise.all(turns)
  }

  /** A clean one is over when whoever made it has had the time to come to its queue. */
  #isOver({ holder }: ClientSession, leftAt: number): boolean {
    const { config, now } = this.#options
    const { sessions, services } = config()
    const { abandonedAfterMs } = sessions
    const ms = holder.clean === true ? Math.min(services.timeoutMs, abandonedAfterMs) : abandonedAfterMs
    return now() - leftAt >= ms
  }

  /** In the client's turn; what fails is tried again at the next sweep. */
  #take(clientId: string, act: () => Promise<void>): Promise<void> {
    const { turns, log } = this.#options
    return new Promise(resolve => {
      turns.take(clientId, undefined, async () => {
        try {
          if (!this.#stopped) await act()
        } catch (error) {
          log.warn({ clientId, err: error }, 'an abandoned session could not be dealt with')
        }
        resolve()
      })
    })
  }

  async #attended(clientId: string): Promise<void> {
    const { sessions } = this.#options
    const session = sessions.get(clientId)
    if (session !== undefined) await sessions.setLeftAt(clientId, session, undefined)
  }

  async #unattended(clientId: string): Promise<void> {
    const { queues, sessions, expired, log, now } = this.#options
    const session = sessions.get(clientId)
    if (session?.delivery !== 'queue') return
    const { leftAt, holder } = session
    if (leftAt === undefined || leftAt > now()) return sessions.setLeftAt(clientId, session, now())
    if (!this.#isOver(session, leftAt)) return
    // somebody may have come meanwhile; before it is removed alone, since the host looks through all queues for that
    const queue = this.#spelling.publish(clientId)
    if (!(await queues.unattended(queue)).includes(queue)) return this.#attended(clientId)
    await sessions.remove(clientId)
    if (holder.clean === true) return
    expired.add(1)
    log.info({ clientId, leftAt }, 'a session was removed: nobody came back for it')
  }
}
