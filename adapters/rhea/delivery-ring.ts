// rhea's ring of incoming deliveries, read the way that peers name them.
// Rule: a peer's range of ids is cut to what the ring holds before anything walks it; rhea alone would count to 2^32.

import type { RheaDelivery, RheaRing } from './rhea.js'

/** The deliveries of a ring, oldest first; not those that come while it is read. */
export function* ringEntries<D extends RheaDelivery>(ring: RheaRing<D>): Generator<D> {
  const { head, size, capacity, entries } = ring
  for (let i = 0; i < size; i++) {
    const entry = entries[(head + i) % capacity]
    if (entry !== undefined) yield entry
  }
}

/** The deliveries of a ring with ids from `first` to `last`, as serial numbers; what a peer names beyond them is left out. */
export function* ringRange<D extends RheaDelivery>(
  ring: RheaRing<D>,
  first: number,
  last: number
): Generator<D> {
  const { head, size, capacity, entries } = ring
  const start = entries[head]?.id
  if (size === 0 || start === undefined) return
  // a distance of more than half the numbers is one backwards, from before the ring
  const from = Math.max((first - start) | 0, 0)
  const to = Math.min((last - start) | 0, size - 1)
  for (let i = from; i <= to; i++) {
    const entry = entries[(head + i) % capacity]
    if (entry !== undefined) yield entry
  }
}
