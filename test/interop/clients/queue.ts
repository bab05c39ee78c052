// What a client received, in order, to be awaited one by one.
// Rule: a test that waits for what does not come fails with what it waited for, long before the test's own time is up.

const TIMEOUT_MS = 8_000

export class ReceivedQueue<T> {
  readonly #what: string
  readonly #items: T[] = []
  readonly #waiting: ((item: T) => void)[] = []

  constructor(what: string) {
    this.#what = what
  }

  push(item: T): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#items.push(item)
    else waiting(item)
  }

  /** The next one, now or when it comes. */
  async next(): Promise<T> {
    const item = this.#items.shift()
    if (item !== undefined) return item
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${this.#what} came`)), TIMEOUT_MS)
      this.#waiting.push(received => {
        clearTimeout(timer)
        resolve(received)
      })
    })
  }

  /** The next `count`. */
  async take(count: number): Promise<T[]> {
    const items: T[] = []
    while (items.length < count) items.push(await this.next())
    return items
  }

  /** Those that came and nobody took. */
  get left(): readonly T[] {
    return this.#items
  }
}
