// Waiting without sleeping: a case waits for a state, and is woken when something happened that may have changed it.
// Rule: whoever waits in vain is told what for, and what was there instead.

export class Signal {
  readonly #patienceMs: number
  readonly #waiting = new Set<() => void>()

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs
  }

  /** Something happened. */
  notify(): void {
    for (const look of [...this.#waiting]) look()
  }

  /** Resolves with what `read` gives as soon as it is not undefined; `what` completes "waited for …". */
  until<T>(read: () => T | undefined, what: () => string): Promise<T> {
    const now = read()
    if (now !== undefined) return Promise.resolve(now)
    return new Promise<T>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
      }
      const look = (): void => {
        const value = read()
        if (value === undefined) return
        end()
        resolve(value)
      }
      const timer = setTimeout(() => {
        end()
        reject(new Error(`waited ${this.#patienceMs} ms for ${what()}`))
      }, this.#patienceMs)
      this.#waiting.add(look)
    })
  }
}

/** The promise, or after `patienceMs` an error that names `what`. */
export async function within<T>(patienceMs: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${patienceMs} ms for ${what}`)), patienceMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
