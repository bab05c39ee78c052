// Deliveries that the host gives again: what the client was sent by a former connection and did not acknowledge, and what it was
// sent by this one before the link to its queue was lost.
// Rule: they keep their packet ids, and nobody else has these meanwhile. The host gives what came back before what was never
// delivered; so with the first such one, what has not come by then will not come. A host that crashed may give more than is expected.

import type { InFlightEntry } from '../messages/in-flight.js'

export interface Redelivery {
  readonly packetId: number
  /** by this connection: not sent a second time */
  readonly written: boolean
}

export class Redeliveries {
  /** by delivery id, in the order in which they were sent */
  readonly #expected = new Map<string, Redelivery>()
  readonly #packetIds = new Set<number>()

  get size(): number {
    return this.#expected.size
  }

  expect({ id, packetId }: InFlightEntry, written: boolean): void {
    this.#expected.set(id, { packetId, written })
    this.#packetIds.add(packetId)
  }

  /** The packet id is kept for one that is expected. */
  has(packetId: number): boolean {
    return this.#packetIds.has(packetId)
  }

  /** `id` came, `again` or for the first time: what it was; undefined: it was not expected. */
  take(id: string | undefined, again: boolean): Redelivery | undefined {
    const redelivery = id === undefined ? undefined : this.#expected.get(id)
    if (id !== undefined && redelivery !== undefined) {
      this.#expected.delete(id)
      this.#packetIds.delete(redelivery.packetId)
    } else if (!again) {
      this.#expected.clear()
      this.#packetIds.clear()
    }
    return redelivery
  }

  /** What has not come, and was not sent by this connection. */
  unsent(): readonly InFlightEntry[] {
    return [...this.#expected]
      .filter(([, { written }]) => !written)
      .map(([id, { packetId }]) => ({ id, packetId }))
  }
}
