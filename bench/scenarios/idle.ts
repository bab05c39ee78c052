// Memory of clients that are connected and say nothing, with and without a subscription.
// Rule: what counts is the memory of the server's own (RssAnon), before the first client and when it stands still after the last.

import { setTimeout as delay } from 'node:timers/promises'
import { Crowd } from '../mqtt/crowd.js'
import { anonymousBytes, cpuSeconds, rssBytes } from '../proc.js'
import type { Case, Load, Sample, Scenario, Target } from './types.js'

const DEFAULT_CLIENTS = 5_000
/** memory stands still when it moves less than this in one interval, and the server uses no more CPU than that */
const STILL_BYTES = 256 * 1024
const STILL_CPU_SHARE = 0.02
const INTERVAL_MS = 1_000
const STILL_INTERVALS = 3
const SETTLE_MS = 30_000

/** Resolves with the bytes at which the server's memory stands still, or has come to in the longest time. */
export async function settled(pid: number): Promise<number> {
  let still = 0
  let bytes = anonymousBytes(pid)
  let cpu = cpuSeconds(pid)
  const until = performance.now() + SETTLE_MS
  while (still < STILL_INTERVALS && performance.now() < until) {
    await delay(INTERVAL_MS)
    const now = { bytes: anonymousBytes(pid), cpu: cpuSeconds(pid) }
    const quiet = (now.cpu - cpu) * 1000 <= STILL_CPU_SHARE * INTERVAL_MS
    still = quiet && Math.abs(now.bytes - bytes) <= STILL_BYTES ? still + 1 : 0
    ;({ bytes, cpu } = now)
  }
  return bytes
}

async function run(target: Target, parameters: Readonly<Record<string, number>>): Promise<Sample> {
  const { clients = 0, subscribed = 0 } = parameters
  const crowd = new Crowd(target.port, subscribed > 0)
  const before = await settled(target.pid)
  await crowd.grow(clients)
  const after = await settled(target.pid)
  crowd.check()
  const sample = {
    kbPerClient: (after - before) / 1024 / clients,
    beforeMb: before / 1e6,
    afterMb: after / 1e6,
    rssMb: rssBytes(target.pid) / 1e6
  }
  crowd.destroy()
  return sample
}

function cases(load: Load): readonly Case[] {
  const clients = load.clients ?? DEFAULT_CLIENTS
  return [
    { name: `${clients} clients, no subscription`, parameters: { clients, subscribed: 0 } },
    { name: `${clients} clients, one subscription each`, parameters: { clients, subscribed: 1 } }
  ]
}

export const idle: Scenario = {
  name: 'idle',
  title: 'memory of clients that say nothing',
  columns: [
    { key: 'kbPerClient', title: 'KB/client', digits: 1, compare: 'less' },
    { key: 'beforeMb', title: 'own MB before', digits: 1 },
    { key: 'afterMb', title: 'own MB with all', digits: 1 },
    { key: 'rssMb', title: 'RSS MB with all', digits: 1 }
  ],
  cases,
  run
}
