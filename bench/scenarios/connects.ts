// Clients that come: CONNECT and one SUBSCRIBE each, both answered, a bounded number at once; they stay until the round's end.

import { Meter } from '../meter.js'
import { Crowd } from '../mqtt/crowd.js'
import type { Case, Load, Sample, Scenario, Target } from './types.js'

const WARM_UP_CLIENTS = 1_000
const DEFAULT_CLIENTS = 4_000

async function run(target: Target, { clients = 0 }: Readonly<Record<string, number>>): Promise<Sample> {
  const crowd = new Crowd(target.port, true)
  await crowd.grow(WARM_UP_CLIENTS)
  const meter = new Meter(target.pid)
  await crowd.grow(WARM_UP_CLIENTS + clients)
  const { messagesPerSecond = NaN, ...sample } = meter.sample(clients)
  crowd.destroy()
  return { ...sample, connectsPerSecond: messagesPerSecond }
}

function cases(load: Load): readonly Case[] {
  return [{ name: 'one subscription each', parameters: { clients: load.clients ?? DEFAULT_CLIENTS } }]
}

export const connects: Scenario = {
  name: 'connects',
  title: 'CONNECT and SUBSCRIBE, both answered, 64 clients at once',
  columns: [
    { key: 'connectsPerSecond', title: 'connects/s', digits: 0, compare: 'more' },
    { key: 'serverCpuUs', title: 'server CPU µs/connect', digits: 0, compare: 'less' },
    { key: 'serverCpuShare', title: 'server CPU', digits: 2 },
    { key: 'generatorCpuUs', title: 'generator µs/connect', digits: 0 },
    { key: 'generatorCpuShare', title: 'generator CPU', digits: 2 },
    { key: 'serverPeakMb', title: 'server peak MB', digits: 0 }
  ],
  cases,
  run
}
