// Many clients that connect, perhaps subscribe, and then say nothing.
// Rule: a bounded number is under way at once, so that no listen queue overflows and no server is asked more than another.

import { RawClient } from './client.js'

/** CONNECTs under way at once. */
const AT_ONCE = 64
/** An idle client reads a few bytes at a time. */
const CHUNK_BYTES = 256

export class Crowd {
  readonly #port: number
  readonly #subscribed: boolean
  readonly #clients: RawClient[] = []
  #lost = 0

  /** `subscribed`: each has one subscription, to a topic of its own. */
  constructor(port: number, subscribed: boolean) {
    this.#port = port
    this.#subscribed = subscribed
  }

  /** Adds clients until there are so many; resolves when all are answered. */
  async grow(size: number): Promise<void> {
    let next = this.#clients.length
    const join = async (): Promise<void> => {
      while (next < size) await this.#join(next++)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, join))
    this.check()
  }

  /** The newest leave with DISCONNECT until there are so many. */
  async shrink(size: number): Promise<void> {
    await Promise.all(this.#clients.splice(size).map(client => client.end()))
  }

  /** Throws where one was lost. */
  check(): void {
    if (this.#lost > 0) throw new Error(`${this.#lost} idle clients were lost`)
  }

  /** Closes all without a word: the server goes next. */
  destroy(): void {
    for (const client of this.#clients) client.destroy()
  }

  async #join(index: number): Promise<void> {
    const onLost = (): void => void this.#lost++
    const client = await RawClient.connect(
      this.#port,
      `idle-${index}`,
      { onLost },
      { chunkBytes: CHUNK_BYTES }
    )
    this.#clients.push(client)
    if (this.#subscribed) await client.subscribe(`bench/idle/${index}`, 0)
  }
}
