// The command line of the benchmark.

import { parseArgs } from 'node:util'
import { SCENARIOS } from './scenarios/index.js'
import type { Load, Scenario } from './scenarios/types.js'
import { SERVERS } from './servers/index.js'
import type { ServerKind } from './servers/types.js'

export const USAGE = `npm run bench -- [options]
  --scenario NAME,…   ${[...SCENARIOS.keys()].join(', ')} (default: all)
  --servers NAME,…    ${[...SERVERS.keys()].join(', ')} (default: all that are
                      installed)
  --qos 0,1           (default: both)
  --messages N        measured messages of a round; half as many before it warm up
  --clients N         clients of the scenarios that are about their number
  --seconds N         measured time of a round instead
  --rounds N          rounds, the servers take turns in each (default: 3)
  --profile DIR       run the servers on node with --cpu-prof and leave the profiles there
  --json              print the figures as JSON`

export interface Options {
  readonly scenarios: readonly Scenario[]
  readonly servers: readonly ServerKind[]
  readonly load: Load
  readonly rounds: number
  readonly profileDir: string | undefined
  readonly json: boolean
  readonly help: boolean
}

/** Throws an Error that names the option where one is wrong. */
export function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      scenario: { type: 'string', default: [...SCENARIOS.keys()].join(',') },
      servers: { type: 'string', default: [...SERVERS.keys()].join(',') },
      qos: { type: 'string', default: '0,1' },
      messages: { type: 'string' },
      seconds: { type: 'string' },
      clients: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      profile: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  return {
    scenarios: pick('--scenario', values.scenario, SCENARIOS),
    servers: pick('--servers', values.servers, SERVERS),
    load: {
      messages: positive('--messages', values.messages),
      seconds: positive('--seconds', values.seconds),
      clients: positive('--clients', values.clients),
      qos: values.qos.split(',').map(qos => {
        if (qos === '0') return 0
        if (qos === '1') return 1
        throw new Error(`--qos ${qos}: 0 or 1`)
      })
    },
    rounds: positive('--rounds', values.rounds) ?? 1,
    profileDir: values.profile,
    json: values.json,
    help: values.help
  }
}

function pick<T>(option: string, names: string, from: ReadonlyMap<string, T>): T[] {
  return names.split(',').map(name => {
    const found = from.get(name)
    if (found === undefined) throw new Error(`${option} ${name}: one of ${[...from.keys()].join(', ')}`)
    return found
  })
}

function positive(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value <= 0) throw new Error(`${option} ${text}: a whole number over 0`)
  return value
}
