// Random runs of many clients on two gateways, two services and a host, with kills and restarts, against the model of what must and
// may arrive.
// Rule: a seed is all of a run. MODEL_SEED=n does that one alone, with the same steps; SOAK=1 does many more; MODEL_FIRST and
// MODEL_SEEDS say where to begin and how many.

import { chronicle } from './chronicle.js'
import type { History } from './history.js'
import { run } from './run.js'
import { described, stepsOf, type Step } from './steps.js'
import { World } from './world.js'

const ONE = process.env['MODEL_SEED']
const FIRST = Number(process.env['MODEL_FIRST'] ?? 1)
const COUNT = Number(process.env['MODEL_SEEDS'] ?? (process.env['SOAK'] === undefined ? 500 : 10_000))
const SEEDS = ONE === undefined ? Array.from({ length: COUNT }, (_, index) => FIRST + index) : [Number(ONE)]

/** Side by side, each in a world of its own: much of a run is waiting for a disk. */
const WORLDS = 3
/** After so many runs that failed there is enough to look at. */
const ENOUGH = 3
const MS_PER_RUN = 1000

describe('the whole, whatever its clients do and whatever dies', () => {
  it(`gives everybody what they must get, and nothing else, in ${SEEDS.length} runs`, async function () {
    this.timeout(SEEDS.length * MS_PER_RUN + 20_000)
    const stories: string[] = []
    const seeds = SEEDS.values()
    const work = async (): Promise<void> => {
      let world = await World.open()
      for (const seed of seeds) {
        const steps = stepsOf(seed)
        const history = await run(world, `m${seed}`, steps)
        if (history.faults.length > 0) {
          stories.push(story(seed, steps, history))
          // the next one begins with nothing of it
          await world.close()
          world = await World.open()
        }
        if (stories.length >= ENOUGH) break
      }
      await world.close()
    }
    await Promise.all(Array.from({ length: Math.min(WORLDS, SEEDS.length) }, work))
    if (stories.length > 0) throw new Error(stories.join('\n\n'))
  })
})

const story = (seed: number, steps: readonly Step[], history: History): string =>
  [
    `MODEL_SEED=${seed}: ${history.faults.length} faults`,
    ...history.faults.map(fault => `  ${fault}`),
    'its steps:',
    ...steps.map((step, index) => `  ${index + 1} ${described(step)}`),
    'what happened:',
    ...chronicle(history).map(line => `  ${line}`)
  ].join('\n')
