// Receivers that asked for a drain: they wait until nothing is left for them.
// Rule: a drain ends when its receiver has no credit or the queue has no message, and takes what credit is left.

import type { Consumer } from './consumer.js'

interface Drain {
  readonly consumer: Consumer
  readonly done: () => void
}

export class Drains {
  #waiting: Drain[] = []

  get count(): number {
    return this.#waiting.length
  }

  add(consumer: Consumer, done: () => void): void {
    this.#waiting.push({ consumer, done })
  }

  /** All that could be delivered was. `expecting`: but more comes by itself. */
  end(expecting: boolean): void {
    if (this.#waiting.length === 0) return
    const ending = this.#waiting.filter(({ consumer }) => !(expecting && consumer.ready))
    this.#waiting = this.#waiting.filter(drain => !ending.includes(drain))
    for (const { consumer, done } of ending) {
      consumer.credit = 0
      done()
    }
  }
}
