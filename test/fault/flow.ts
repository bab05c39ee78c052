// Publications that flow until the seed's instant.

import type { Random } from './random.js'

/** A publisher of any protocol. */
export interface Flowing {
  /** publications that were acknowledged so far, of all its connections */
  readonly acknowledged: number
  /** Resolves when it is connected; publishes until the connection is lost. */
  flow(port: number, onAcknowledged: () => void): Promise<void>
}

/**
 * All publish, each at its port; resolves when so many acknowledgements more as the seed chose, of `most`, have come, and a bit
 * later.
 */
export async function flowUntil(
  publishers: readonly Flowing[],
  portOf: (index: number) => number,
  random: Random,
  most = 4_000
): Promise<void> {
  const acknowledged = (): number => publishers.reduce((sum, p) => sum + p.acknowledged, 0)
  const wanted = acknowledged() + random.between(1, most)
  const graceMs = random.between(0, 8)
  let enough: () => void = () => undefined
  const reached = new Promise<void>(resolve => (enough = resolve))
  const check = (): void => {
    if (acknowledged() >= wanted) enough()
  }
  // one that is still connecting would begin after the fault
  await Promise.all(publishers.map((p, i) => p.flow(portOf(i), check)))
  await reached
  // the fault's instant within what the server does between two batches of acknowledgements
  await new Promise(resolve => setTimeout(resolve, graceMs))
}
