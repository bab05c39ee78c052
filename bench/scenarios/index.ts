// The scenarios by name: a new one is a file here and a line below.

import { latency } from './latency.js'
import { pairs } from './pairs.js'
import type { Scenario } from './types.js'

export const SCENARIOS: ReadonlyMap<string, Scenario> = new Map([pairs, latency].map(s => [s.name, s]))
