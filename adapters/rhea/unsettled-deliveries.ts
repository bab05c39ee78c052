// What a session has received and nobody has settled yet, in place of rhea's ring.
// Rule: a delivery that stays unsettled takes one place, and not those of all that came after it. (rhea frees its ring from the head
// only, so one old delivery stops the session after 2047 more.)

import type { RheaIncomingDelivery, RheaLink, RheaSession } from './rhea.js'
import { serialRange } from './serial-range.js'

export class UnsettledDeliveries {
  readonly #capacity: number
  readonly #byId = new Map<number, RheaIncomingDelivery>()

  /** Takes the place of the session's ring. */
  constructor(session: RheaSession, capacity: number) {
    this.#capacity = capacity
    session.incoming.deliveries = this
    session.local.begin.incoming_window = capacity
  }

  /** Places that are free; rhea takes it for the session's window. */
  available(): number {
    return this.#capacity - this.#byId.size
  }

  /** rhea asks for what is settled to be dropped; remove() has done that. */
  pop_if(): number {
    return 0
  }

  add(delivery: RheaIncomingDelivery): void {
    this.#byId.set(delivery.id, delivery)
  }

  /** False: it was not there, or another is that has its id. */
  remove(delivery: RheaIncomingDelivery): boolean {
    return this.#byId.get(delivery.id) === delivery && this.#byId.delete(delivery.id)
  }

  /** Those with ids from `first` to `last`. */
  *range(first: number, last: number): Generator<RheaIncomingDelivery> {
    for (const [, delivery] of serialRange(this.#byId, first, last)) yield delivery
  }

  /** Those of one link, oldest first. */
  *of(link: RheaLink): Generator<RheaIncomingDelivery> {
    for (const delivery of this.#byId.values()) if (delivery.link === link) yield delivery
  }
}
