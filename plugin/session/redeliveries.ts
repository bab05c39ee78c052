// Deliveries that the host gives again: what the client was sent by a former connection and did not acknowledge, and what it was
// sent by this one before the link to its queue was lost.
// Rule: they keep their packet ids, and nobody else has these meanwhile. The host gives what came back before what is new; so with
// the first new one, what has not come by then will not come.

import type { InFlightEntry } from '../messages/in-flight.js'

export interface Redelivery {
  readonly packetId: number
  /** by this connection: not sent a second time */
  readonly written: boolean
}

export class Redeliveries {
  /** by delivery id, in the order in which they were sent */
  readonly #expected = new Map<string, Redelivery>()

  get size(): number {
    return this.#expected.size
  }

  expect({ id, packetId }: InFlightEntry, written: boolean): void {
    this.#expected.set(id, { packetId, written })
  }

  /** `id` came: what it was; undefined: it is new, and nothing is expected any more. */
  take(id: string | undefined): Redelivery | undefined {
    const redelivery = id === undefined ? undefined : this.#expected.get(id)
    if (id === undefined || redelivery === undefined) this.#expected.clear()
    else this.#expected.delete(id)
    return redelivery
  }

  /** What has not come, and was not sent by this connection. */
  unsent(): readonly InFlightEntry[] {
    return [...this.#expected]
      .filter(([, { written }]) => !written)
      .map(([id, { packetId }]) => ({ id, packetId }))
  }
}
