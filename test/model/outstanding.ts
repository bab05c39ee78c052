// What a connection waits for: each thing by a name, until its answer or the connection's end.
// Rule: everybody who waits goes on, whichever comes.

export class Outstanding {
  readonly #waiting = new Map<string, { readonly over: Promise<void>; readonly resolve: () => void }>()
  readonly ended: Promise<void>
  #end: () => void = () => undefined
  #isEnded = false

  constructor() {
    this.ended = new Promise(resolve => (this.#end = resolve))
  }

  get size(): number {
    return this.#waiting.size
  }

  /** Resolves with the answer to `name`, or with the end. */
  add(name: string): Promise<void> {
    if (this.#isEnded) return this.ended
    let resolve = (): void => undefined
    const over = new Promise<void>(done => (resolve = done))
    this.#waiting.set(name, { over, resolve })
    return over
  }

  /** Resolves when `name` is no longer waited for. */
  over(name: string): Promise<void> {
    return this.#waiting.get(name)?.over ?? Promise.resolve()
  }

  /** False where nobody waited for it. */
  answer(name: string): boolean {
    const waiting = this.#waiting.get(name)
    this.#waiting.delete(name)
    waiting?.resolve()
    return waiting !== undefined
  }

  /** Resolves when all that is waited for now is over. */
  async quiet(): Promise<void> {
    await Promise.all([...this.#waiting.values()].map(({ over }) => over))
  }

  /** What is still waited for, in words. */
  get names(): string {
    return [...this.#waiting.keys()].join(', ')
  }

  end(): void {
    this.#isEnded = true
    for (const { resolve } of this.#waiting.values()) resolve()
    this.#waiting.clear()
    this.#end()
  }
}
