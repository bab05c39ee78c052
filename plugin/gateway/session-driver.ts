// Drives one session core: one event at a time, its actions performed before the next, its deadline watched.
// Rule: an event that comes while actions are performed waits for its turn; what throws is a bug and goes to `onBug`. The clock is
// read for what a client does or a timer says; for the many events that come from the host, the last time does.

import type { Session } from '../session/session.js'
import type { Action, SessionEvent } from '../session/types.js'
import { DeadlineTimer } from './deadline-timer.js'

export class SessionDriver {
  readonly #session: Session
  readonly #perform: (action: Action) => void
  readonly #onBug: (error: unknown) => void
  readonly #deadline: DeadlineTimer
  readonly #waiting: SessionEvent[] = []
  #handling = false
  #now = performance.now()

  constructor(session: Session, perform: (action: Action) => void, onBug: (error: unknown) => void) {
    this.#session = session
    this.#perform = perform
    this.#onBug = onBug
    this.#deadline = new DeadlineTimer(session, () => this.handle({ type: 'timeout' }))
    this.#deadline.arm()
  }

  handle(event: SessionEvent): void {
    if (this.#handling) {
      this.#waiting.push(event)
      return
    }
    this.#handling = true
    try {
      let next: SessionEvent | undefined = event
      while (next !== undefined) {
        if (!isTimeless(next)) this.#now = performance.now()
        for (const action of this.#session.handle(next, this.#now)) this.#perform(action)
        next = this.#waiting.shift()
      }
    } catch (error) {
      this.#onBug(error)
    } finally {
      this.#handling = false
    }
    this.#deadline.arm()
  }

  /** No more timeouts. */
  stop(): void {
    this.#deadline.stop()
  }
}

/** No deadline depends on when it came. */
function isTimeless({ type }: SessionEvent): boolean {
  return type === 'delivery' || type === 'outcome'
}
