// The load generator: a process of its own that runs one round of one case and tells its parent what it measured.

import { SCENARIOS } from './scenarios/index.js'
import type { Sample, Target } from './scenarios/types.js'

export interface Job {
  readonly scenario: string
  readonly parameters: Readonly<Record<string, number>>
  readonly target: Target
}

export type Report = { readonly sample: Sample } | { readonly error: string }

async function perform(job: Job): Promise<Report> {
  try {
    const scenario = SCENARIOS.get(job.scenario)
    if (scenario === undefined) throw new Error(`no scenario ${job.scenario}`)
    return { sample: await scenario.run(job.target, job.parameters) }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

process.once('message', job => {
  void perform(job as Job).then(report => process.send?.(report, () => process.exit(0)))
})
