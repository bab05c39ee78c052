// Bounds of the queues of durable sessions, and what they cost.
// Rule: the host drops what comes over them, from the full queue alone, and counts it; here that becomes a metric.

import type { Config } from '../config.js'
import { CONDITIONS, AmqpError } from '../errors.js'
import type { Counter, Logger, QueueLimits, Queues } from '../host.js'
import { SESSION_QUEUES } from '../messages/addresses.js'

/** Between two looks at what was dropped, ms. */
const LOOK_MS = 1000

export interface SessionBoundsOptions {
  readonly queues: Queues
  readonly config: () => Config
  readonly dropped: Counter
  readonly log: Logger
}

export class SessionBounds {
  readonly #options: SessionBoundsOptions
  #timer: NodeJS.Timeout | undefined
  /** what the host had counted at the last look */
  #counted: number | undefined
  #set: QueueLimits | undefined
  #looking: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: SessionBoundsOptions) {
    this.#options = options
  }

  /** Sets the bounds, and counts from now on. Rejects with AmqpError. */
  async start(): Promise<void> {
    await this.set()
    await this.#look()
    this.#lookLater()
  }

  /** The bounds as the configuration has them; nothing is asked where they are so. Rejects with AmqpError. */
  async set(): Promise<void> {
    const { queues, config } = this.#options
    const { maxQueuedMessages: maxMessages, maxQueuedBytes: maxBytes } = config().sessions
    if (this.#set?.maxMessages === maxMessages && this.#set.maxBytes === maxBytes) return
    await queues.limit(SESSION_QUEUES, { maxMessages, maxBytes })
    this.#set = { maxMessages, maxBytes }
  }

  /** Counts what was dropped until now. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#looking
    // one that never began, as of a service that stands by, has nothing to count
    if (this.#counted !== undefined) await this.#look()
  }

  #lookLater(): void {
    this.#timer = setTimeout(() => {
      this.#looking = this.#look().then(() => {
        if (!this.#stopped) this.#lookLater()
      })
    }, LOOK_MS)
  }

  async #look(): Promise<void> {
    const { queues, dropped, log } = this.#options
    try {
      const count = await queues.dropped(SESSION_QUEUES)
      // fewer than before: the host has begun to count again
      if (this.#counted !== undefined) dropped.add(count < this.#counted ? count : count - this.#counted)
      this.#counted = count
    } catch (error) {
      if (error instanceof AmqpError && error.condition === CONDITIONS.connectionForced) return
      log.debug({ err: error }, 'the host does not say what it dropped')
    }
  }
}
