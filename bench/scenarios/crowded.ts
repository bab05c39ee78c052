// Does a message cost more when many clients are idle? The load of `pairs`, with 100 idle clients, with 5,000, with 100 again.
// Rule: all in one server process, and the few are measured before and after the many, so that a warmer server is no answer.

import { Crowd } from '../mqtt/crowd.js'
import { pairFlows } from './pairs.js'
import { Saturation } from './saturation.js'
import type { Case, Load, Sample, Scenario, Target } from './types.js'

const FEW = 100
const DEFAULT_MANY = 5_000
const DEFAULT_MESSAGES = 300_000

async function run(target: Target, parameters: Readonly<Record<string, number>>): Promise<Sample> {
  const { messages = 0, seconds = 0, many = 0, qos = 0 } = parameters
  const crowd = new Crowd(target.port, true)
  const load = await Saturation.open(target, pairFlows(qos === 1 ? 1 : 0))
  const cost = async (warmUp: number): Promise<number> => {
    const { serverCpuUs = NaN } = await load.measure({ warmUp, messages, seconds })
    return serverCpuUs
  }
  await crowd.grow(FEW)
  const before = await cost(messages)
  await crowd.grow(many)
  const crowded = await cost(messages / 2)
  crowd.check()
  await crowd.shrink(FEW)
  const after = await cost(messages / 2)
  await load.close()
  crowd.destroy()
  const few = (before + after) / 2
  return { fewCpuUs: few, manyCpuUs: crowded, manyToFew: crowded / few, before, after }
}

function cases(load: Load): readonly Case[] {
  const messages = load.messages ?? DEFAULT_MESSAGES
  const many = load.clients ?? DEFAULT_MANY
  return load.qos.map(qos => ({
    name: `QoS ${qos}, ${FEW} and ${many} idle clients`,
    parameters: { qos, messages, seconds: load.seconds ?? 0, many }
  }))
}

export const crowded: Scenario = {
  name: 'crowded',
  title: 'server CPU µs/message of `pairs` with few and with many idle clients, each with a subscription',
  columns: [
    { key: 'fewCpuUs', title: 'few: µs/message', digits: 2, compare: 'less' },
    { key: 'manyCpuUs', title: 'many: µs/message', digits: 2, compare: 'less' },
    { key: 'manyToFew', title: 'many/few', digits: 2 },
    { key: 'before', title: 'few, before', digits: 2 },
    { key: 'after', title: 'few, after', digits: 2 }
  ],
  cases,
  run
}
