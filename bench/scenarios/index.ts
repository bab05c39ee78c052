// The scenarios by name: a new one is a file here and a line below.

import { connects } from './connects.js'
import { crowded } from './crowded.js'
import { fanOut } from './fan-out.js'
import { idle } from './idle.js'
import { latency } from './latency.js'
import { pairs } from './pairs.js'
import type { Scenario } from './types.js'

export const SCENARIOS: ReadonlyMap<string, Scenario> = new Map(
  [pairs, fanOut, latency, connects, idle, crowded].map(s => [s.name, s])
)
