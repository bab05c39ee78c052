// Turns: the requests of one client act one after the other, those of different clients side by side.
// Rule: while a connection is taken over its own requests go on, for its gateway waits for their answers before it lets go.

interface Turn {
  readonly connection: string | undefined
  readonly run: () => Promise<void>
}

interface Line {
  readonly waiting: Turn[]
  /** one more is waiting, or the wait is over */
  wake: (() => void) | undefined
}

export class ClientTurns {
  readonly #ready: Promise<void>
  readonly #lines = new Map<string, Line>()
  readonly #working = new Set<Promise<void>>()

  /** Nothing acts before `ready`. */
  constructor(ready: Promise<void>) {
    this.#ready = ready
  }

  /** `run` must not reject. */
  take(clientId: string, connection: string | undefined, run: () => Promise<void>): void {
    const turn: Turn = { connection, run }
    const line = this.#lines.get(clientId)
    if (line !== undefined) {
      line.waiting.push(turn)
      line.wake?.()
      return
    }
    const working = this.#work(clientId, { waiting: [turn], wake: undefined }).finally(() =>
      this.#working.delete(working)
    )
    this.#working.add(working)
  }

  /** For the turn that acts now: until `over`, the client's turns of `connection` act, and no others. */
  async yieldTo<T>(clientId: string, connection: string, over: Promise<T>): Promise<T> {
    const line = this.#lines.get(clientId)
    if (line === undefined) return over
    let isOver = false
    const result = over.finally(() => {
      isOver = true
      line.wake?.()
    })
    while (!isOver) {
      const index = line.waiting.findIndex(turn => turn.connection === connection)
      const [turn] = index < 0 ? [] : line.waiting.splice(index, 1)
      if (turn === undefined) await new Promise<void>(resolve => (line.wake = resolve))
      else await turn.run()
    }
    line.wake = undefined
    return result
  }

  /** Resolves when all that was taken has acted. */
  async idle(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working)
  }

  async #work(clientId: string, line: Line): Promise<void> {
    this.#lines.set(clientId, line)
    await this.#ready
    for (let turn = line.waiting.shift(); turn !== undefined; turn = line.waiting.shift()) await turn.run()
    this.#lines.delete(clientId)
  }
}
