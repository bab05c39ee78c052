// From samples to what is printed: a table per case, medians over the rounds, ours against each other server.
// Rule: a ratio is taken within a round, where both servers saw the same machine, and the median of those is shown.

import type { Case, Column, Sample, Scenario } from './scenarios/types.js'

export interface CaseResult {
  readonly scenario: string
  readonly title: string
  readonly case: string
  readonly parameters: Case['parameters']
  /** server to its samples, one per round */
  readonly samples: Readonly<Record<string, readonly Sample[]>>
  readonly medians: Readonly<Record<string, Sample>>
  readonly ratios: readonly Ratio[]
}

export interface Ratio {
  readonly column: string
  readonly against: string
  readonly better: 'more' | 'less'
  readonly median: number
  readonly rounds: readonly number[]
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? NaN
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN
  return (upper + lower) / 2
}

/** Medians and ratios of one case. */
export function caseResult(
  scenario: Scenario,
  { name, parameters }: Case,
  samples: Readonly<Record<string, readonly Sample[]>>
): CaseResult {
  const medians: Record<string, Sample> = {}
  for (const [server, rounds] of Object.entries(samples)) {
    const pairs = scenario.columns.map(({ key }) => [key, median(rounds.map(r => r[key] ?? NaN))] as const)
    medians[server] = Object.fromEntries(pairs)
  }
  const others = Object.keys(samples).filter(server => server !== 'ours')
  const ratios = others.flatMap(against =>
    scenario.columns.flatMap(column => ratio(column, against, samples['ours'] ?? [], samples[against] ?? []))
  )
  return { scenario: scenario.name, title: scenario.title, case: name, parameters, samples, medians, ratios }
}

function ratio(column: Column, against: string, ours: readonly Sample[], theirs: readonly Sample[]): Ratio[] {
  if (column.compare === undefined || ours.length === 0) return []
  const rounds = ours.map((sample, i) => (sample[column.key] ?? NaN) / (theirs[i]?.[column.key] ?? NaN))
  return [{ column: column.key, against, better: column.compare, median: median(rounds), rounds }]
}

export function formatCase(scenario: Scenario, result: CaseResult): string {
  const rows = [
    ['', ...scenario.columns.map(c => c.title)],
    ...Object.entries(result.medians).map(([server, sample]) => [
      server,
      ...scenario.columns.map(c => (sample[c.key] ?? NaN).toFixed(c.digits))
    ])
  ]
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map(row => row[i]?.length ?? 0))) ?? []
  const lines = rows.map(row =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')
  )
  const ratios = result.ratios.map(({ column, against, better, median: value, rounds }) => {
    const title = scenario.columns.find(c => c.key === column)?.title ?? column
    const each = rounds.map(r => r.toFixed(2)).join(' ')
    return `ours/${against}, ${title}: ${value.toFixed(2)} (${better} is better; rounds: ${each})`
  })
  return [`${scenario.name}, ${result.case}: ${scenario.title}`, ...lines, ...ratios, ''].join('\n')
}
