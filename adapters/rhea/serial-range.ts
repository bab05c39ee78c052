// Deliveries by their ids, the way that peers name them: from one id to another.
// Rule: ids are serial numbers, which wrap at 2^32; a range is walked no further than there are deliveries, however wide a peer says it is.

/** What `deliveries` has from id `first` to `last`; it may change meanwhile. */
export function* serialRange<T>(
  deliveries: ReadonlyMap<number, T>,
  first: number,
  last: number
): Generator<readonly [number, T]> {
  const length = (last - first) >>> 0
  if (length < deliveries.size) {
    for (let i = 0; i <= length; i++) {
      const id = (first + i) >>> 0
      const delivery = deliveries.get(id)
      if (delivery !== undefined) yield [id, delivery]
    }
  } else {
    for (const entry of [...deliveries]) if ((entry[0] - first) >>> 0 <= length) yield entry
  }
}
