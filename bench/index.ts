// npm run bench: runs scenarios against this package's server and others, taking turns, each with a fresh process per round.
// Rule: whoever runs it sees what was measured and how busy the generator itself was; nothing is left out of the table.

import { fork } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Job, Report } from './generator.js'
import { parseOptions, USAGE, type Options } from './options.js'
import { caseResult, formatCase, type CaseResult } from './report.js'
import type { Case, Sample, Scenario } from './scenarios/types.js'
import type { ServerKind } from './servers/types.js'

const GENERATOR = fileURLToPath(new URL('generator.ts', import.meta.url))

function generate(job: Job): Promise<Sample> {
  return new Promise((measured, reject) => {
    const child = fork(GENERATOR)
    child.once('message', message => {
      const report = message as Report
      if ('sample' in report) measured(report.sample)
      else reject(new Error(report.error))
    })
    child.once('exit', code => reject(new Error(`the generator ended with ${code}`)))
    child.send(job)
  })
}

function nodeArgs(options: Options, name: string): string[] {
  if (options.profileDir === undefined) return []
  return [
    '--cpu-prof',
    `--cpu-prof-dir=${options.profileDir}`,
    `--cpu-prof-name=${name.replace(/\W+/g, '-')}.cpuprofile`
  ]
}

async function runCase(options: Options, scenario: Scenario, c: Case): Promise<CaseResult> {
  const samples: Record<string, Sample[]> = {}
  for (let round = 1; round <= options.rounds; round++) {
    for (const kind of options.servers) {
      if (kind.scenarios?.includes(scenario.name) === false) continue
      const name = `${scenario.name}-${c.name}-${kind.name}-${round}`
      const server = await kind.start({ nodeArgs: nodeArgs(options, name) })
      try {
        const target = { port: server.mqttPort, pid: server.pid }
        const sample = await generate({ scenario: scenario.name, parameters: c.parameters, target })
        ;(samples[kind.name] ??= []).push(sample)
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause)
        throw new Error(`${name}: ${why}\n${server.output.join('\n')}`, { cause })
      } finally {
        await server.stop()
      }
    }
  }
  return caseResult(scenario, c, samples)
}

function usable(servers: readonly ServerKind[]): ServerKind[] {
  return servers.filter(kind => {
    const missing = kind.missing()
    if (missing !== undefined) console.error(`${kind.name} is left out: ${missing}`)
    return missing === undefined
  })
}

async function main(): Promise<void> {
  const parsed = parseOptions(process.argv.slice(2))
  if (parsed.help) {
    console.log(USAGE)
    return
  }
  const profileDir = parsed.profileDir === undefined ? undefined : resolve(parsed.profileDir)
  if (profileDir !== undefined) mkdirSync(profileDir, { recursive: true })
  const options = { ...parsed, profileDir, servers: usable(parsed.servers) }
  const results: CaseResult[] = []
  for (const scenario of options.scenarios) {
    for (const c of scenario.cases(options.load)) {
      const result = await runCase(options, scenario, c)
      results.push(result)
      if (!options.json) console.log(formatCase(scenario, result))
    }
  }
  if (options.json) console.log(JSON.stringify(results, null, 2))
  if (profileDir !== undefined) console.error(`profiles: ${profileDir}`)
}

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
