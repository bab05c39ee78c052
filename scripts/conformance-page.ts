// docs/conformance.md from the statements of MQTT and the tests that passed in one run.

import { NOT_YET, shows, STATEMENTS, statementsOf } from '../test/conformance/statements.js'
import type { PassedTest } from '../test/fixtures/passed-tests.js'

const HEAD = `# Conformance

The statements of MQTT 3.1.1 that bind a server, in our own words, under the ids of the specification's appendix B. A statement
counts as shown only by tests that passed in a run of \`npm test\`, have its id in their title, and send bytes on a socket or
packets into the packet stream or the session core. Made by \`npm run conformance\` from such a run; CI does not pass when this
page says anything else than its run.
`

/** Statements of one section share a heading: `3.1.2-8` -> `3.1.2`, `3-8.3-4` (as the specification writes it) -> `3.8.3`. */
const sectionOf = (id: string): string => {
  const parts = id.replace(/^3-8/, '3.8').replace('3.1.2.7', '3.1.2-7').split('-')
  return parts[0] ?? id
}

const order = (id: string): number[] => id.split(/[.-]/).map(Number)

function byNumber(a: string, b: string): number {
  const [first, second] = [order(a), order(b)]
  const at = first.findIndex((value, i) => value !== second[i])
  return at < 0 ? first.length - second.length : (first[at] ?? 0) - (second[at] ?? 0)
}

const escaped = (text: string): string => text.replace(/[\\`*_[\]<>]|^[#+-]/g, '\\$&')

/** Statement to what its tests say, file by file; those of NOT_YET have none. */
function evidenceOf(passed: readonly PassedTest[]): ReadonlyMap<string, readonly string[]> {
  const lines = new Map<string, Set<string>>()
  for (const { file, title } of passed) {
    if (!shows(file)) continue
    // a seed is another one in each run
    const said = title.replace(/ *\[MQTT\d+-[\d.-]+\]/g, '').replace(/,? seed \d+/, '')
    for (const id of statementsOf(title)) {
      const of = lines.get(id) ?? new Set()
      lines.set(id, of.add(`  - ${escaped(said)} (\`${file.replace(/^test\//, '')}\`)`))
    }
  }
  return new Map([...lines].map(([id, of]) => [id, [...of].sort()]))
}

/** The page, not formatted yet. */
export function conformancePage(passed: readonly PassedTest[]): string {
  const evidence = evidenceOf(passed)
  const waiting = new Map(Object.entries(NOT_YET).flatMap(([why, ids]) => ids.map(id => [id, why] as const)))
  const ids = Object.keys(STATEMENTS).sort((a, b) => byNumber(sectionOf(a), sectionOf(b)) || byNumber(a, b))
  const lines = ids.map(id => {
    const why = waiting.get(id)
    const tests = why === undefined ? evidence.get(id) : [`  - not yet: ${why}`]
    return {
      id,
      shown: why === undefined && tests !== undefined,
      tests: tests ?? ['  - no test that passed']
    }
  })
  const sections = [...new Set(ids.map(sectionOf))]
  const shown = lines.filter(line => line.shown).length
  return [
    HEAD,
    `**${shown} of ${ids.length} are shown**; the others say why not.\n`,
    ...sections.flatMap(section => [
      `## ${section}\n`,
      ...lines
        .filter(({ id }) => sectionOf(id) === section)
        .flatMap(({ id, tests }) => [`- **MQTT-${id}** ${STATEMENTS[id] ?? ''}`, ...tests]),
      ''
    ])
  ].join('\n')
}
