// Fan-out at saturation: one publisher, a hundred subscribers of its one topic. A message is a publication at one subscriber.

import { PAYLOAD_BYTES } from './flow.js'
import { Saturation, SATURATION_COLUMNS } from './saturation.js'
import type { Case, Load, Sample, Scenario, Target } from './types.js'

const SUBSCRIBERS = 100
const BATCH = 8
const WINDOW = 64
const WARM_UP_SHARE = 0.5
const DEFAULT_MESSAGES = 1_000_000

async function run(target: Target, parameters: Readonly<Record<string, number>>): Promise<Sample> {
  const { messages = 0, seconds = 0, warmUp = 0 } = parameters
  const qos = parameters['qos'] === 1 ? 1 : 0
  const flow = {
    topic: 'bench/fan-out',
    qos,
    subscribers: SUBSCRIBERS,
    window: WINDOW,
    batch: BATCH
  } as const
  const load = await Saturation.open(target, [flow])
  const sample = await load.measure({ warmUp, messages, seconds })
  await load.close()
  return sample
}

function cases(load: Load): readonly Case[] {
  const messages = load.messages ?? DEFAULT_MESSAGES
  const warmUp = Math.round(messages * WARM_UP_SHARE)
  return load.qos.map(qos => ({
    name: `QoS ${qos}`,
    parameters: { qos, messages, seconds: load.seconds ?? 0, warmUp }
  }))
}

export const fanOut: Scenario = {
  name: 'fan-out',
  title: `1 publisher to ${SUBSCRIBERS} subscribers of one topic, ${PAYLOAD_BYTES} bytes`,
  columns: SATURATION_COLUMNS,
  cases,
  run
}
