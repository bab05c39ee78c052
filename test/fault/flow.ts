// Publications that flow until the seed's instant.

import type { Publisher } from './publisher.js'
import type { Random } from './random.js'

/**
 * All publish, each at its port; resolves when the number of acknowledgements that the seed chose, of `most`, has come, and a bit
 * later.
 */
export async function flowUntil(
  publishers: readonly Publisher[],
  portOf: (index: number) => number,
  random: Random,
  most = 4_000
): Promise<void> {
  const wanted = random.between(1, most)
  const graceMs = random.between(0, 8)
  const acknowledged = (): number => publishers.reduce((sum, p) => sum + p.acknowledged, 0)
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
