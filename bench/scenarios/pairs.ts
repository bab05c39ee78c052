// Throughput at saturation: ten publishers, ten subscribers, publisher i to subscriber i on a topic of their own.

import { PAYLOAD_BYTES, type FlowOptions } from './flow.js'
import { Saturation, SATURATION_COLUMNS } from './saturation.js'
import type { Case, Load, Sample, Scenario, Target } from './types.js'

const PAIRS = 10
const BATCH = { 0: 64, 1: 16 } as const
const WINDOW = 1000
const WARM_UP_SHARE = 0.5
const DEFAULT_MESSAGES = 400_000

/** The load: ten flows of one to one. */
export function pairFlows(qos: 0 | 1): readonly FlowOptions[] {
  return Array.from({ length: PAIRS }, (_, i) => ({
    topic: `bench/pairs/${i}`,
    qos,
    subscribers: 1,
    window: WINDOW,
    batch: BATCH[qos]
  }))
}

async function run(target: Target, parameters: Readonly<Record<string, number>>): Promise<Sample> {
  const { messages = 0, seconds = 0, warmUp = 0 } = parameters
  const load = await Saturation.open(target, pairFlows(parameters['qos'] === 1 ? 1 : 0))
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

export const pairs: Scenario = {
  name: 'pairs',
  title: `${PAIRS} publishers to ${PAIRS} subscribers, a topic per pair, ${PAYLOAD_BYTES} bytes`,
  columns: SATURATION_COLUMNS,
  cases,
  run
}
