// The addresses that a space serves at its broker.
// Rule: each is served until its server closes it, the broker takes it away, or the space ends, whichever is first.

import type { Closeable } from '../../../plugin/host.js'

export class ServedPlaces {
  readonly #places = new Set<Closeable>()

  /** `open` gets what to call, once and not after a close, when the place is lost. Rejects as it does. */
  async add(
    open: (onLost: () => void) => Promise<Closeable>,
    onLost: (() => void) | undefined
  ): Promise<Closeable> {
    let place: Closeable | undefined
    let lost = false
    const opened = await open(() => {
      lost = true
      if (place !== undefined) this.#places.delete(place)
      onLost?.()
    })
    place = opened
    if (!lost) this.#places.add(opened)
    return {
      close: () => {
        this.#places.delete(opened)
        return opened.close()
      }
    }
  }

  /** Ends all. What goes wrong with one ends with the connections of the space. */
  async close(): Promise<void> {
    const places = [...this.#places]
    this.#places.clear()
    await Promise.allSettled(places.map(place => place.close()))
  }
}
