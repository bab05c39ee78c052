// Turns at reading the store of retained messages: a few readers at once, the others in the order in which they came.
// Rule: who waits for credit has no turn, and a turn is short; who wants another one goes behind those who wait.

/** Readers at once: each has a page of the store in memory. */
const READERS = 8
/** ms */
const TURN_MS = 100

export class ReadingTurns {
  readonly #now: () => number
  readonly #waiting: (() => void)[] = []
  #free = READERS

  /** `now`: ms. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Resolves when `read` has. `isOver` of the turn: it is time to end. */
  async take<T>(read: (turn: { readonly isOver: () => boolean }) => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>(resolve => this.#waiting.push(resolve))
    const until = this.#now() + TURN_MS
    try {
      return await read({ isOver: () => this.#now() >= until })
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
