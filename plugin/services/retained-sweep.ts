// What has expired goes from the store of retained messages, met or not, and it is found out which topics there are.
// Rule: all of it is looked at when the service has started, and now and then, a few at a time, and nothing waits for that.

import type { Logger } from '../host.js'
import type { RetainedMessages } from './retained-messages.js'

/** Between two sweeps, ms. */
const SWEEP_MS = 3_600_000
/** Looked at in one go, and the pause after that, ms. */
const PART = 1000
const PAUSE_MS = 50

export class RetainedSweep {
  readonly #messages: Pick<RetainedMessages, 'survey'>
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(messages: Pick<RetainedMessages, 'survey'>, log: Logger) {
    this.#messages = messages
    this.#log = log
  }

  /** Sweeps from now on. */
  start(): void {
    this.#later(PAUSE_MS, undefined)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#looking
  }

  /** Looks at some that come after `after`, and has what is over cleared away; where to go on, undefined: nowhere. */
  async part(after: string | undefined): Promise<string | undefined> {
    let last: string | undefined
    let count = 0
    for await (const topic of this.#messages.survey(after)) {
      last = topic
      if (++count === PART) return last
    }
    return undefined
  }

  #later(ms: number, after: string | undefined): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#looking = this.part(after)
        .catch((error: unknown) => {
          if (!this.#stopped) this.#log.debug({ err: error }, 'retained messages were not swept')
          return undefined
        })
        .then(next => this.#later(next === undefined ? SWEEP_MS : PAUSE_MS, next))
    }, ms)
  }
}
