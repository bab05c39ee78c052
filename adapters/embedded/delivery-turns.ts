// Turns of the event loop that the queues of a space share: after so many deliveries everybody else in this process goes on first,
// so that a thousand clients which come back at once do not keep a new one from its CONNACK.
// Rule: who had to stop goes on in the order in which they stopped, before what comes later; nobody waits for ever.

/** Deliveries of all queues in one turn; some 10 ms. */
const PER_TURN = 1000

export interface Deliverer {
  /** Delivers what it can, as far as the turn lets it. */
  wake(): void
}

export class DeliveryTurns {
  #left = PER_TURN
  /** in the order in which they stopped */
  readonly #waiting = new Set<Deliverer>()
  #scheduled = false

  /** One more delivery may be made in this turn. Who sees false must wait. */
  get open(): boolean {
    return this.#left > 0
  }

  /** One was made. */
  take(): void {
    if (this.#left > 0) this.#left--
    this.#schedule()
  }

  /** Wakes `deliverer` in a turn to come. */
  wait(deliverer: Deliverer): void {
    this.#waiting.add(deliverer)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#begin())
  }

  #begin(): void {
    this.#scheduled = false
    this.#left = PER_TURN
    for (const deliverer of this.#waiting) {
      if (this.#left === 0) break
      this.#waiting.delete(deliverer)
      deliverer.wake()
    }
    if (this.#waiting.size > 0) this.#schedule()
  }
}
