// Which normative statements of MQTT 3.1.1 are shown by a test: all that bind a server, but for those that wait for a feature.
// Rule: this reads titles; docs/conformance.md has those of tests that passed.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { NOT_YET, OF_CLIENTS, shows, STATEMENTS, statementsOf } from './statements.js'

const root = new URL('../../', import.meta.url)

/** Ids in titles of tests that count, of files that `among` takes. */
function shown(among = /./): Set<string> {
  const files = readdirSync(new URL('test/', root), { recursive: true, encoding: 'utf8' })
    .map(name => `test/${name.replaceAll('\\', '/')}`)
    .filter(path => path.endsWith('.test.ts') && shows(path) && among.test(path))
  const titles = files.flatMap(path => [
    ...readFileSync(new URL(path, root), 'utf8').matchAll(/\bit\(\s*(['`])(.*?)\1\s*,/gs)
  ])
  return new Set(titles.flatMap(([, , title = '']) => statementsOf(title)))
}

describe('conformance: the rules of MQTT 3.1.1 that bind a server', () => {
  const rules = Object.keys(STATEMENTS)
  const notYet = Object.values(NOT_YET).flat()

  it('are all there', () => assert.equal(rules.length, 128))

  it('are each shown by a test, or wait for a feature', () => {
    const ids = shown()
    assert.deepEqual(
      rules.filter(id => !ids.has(id) && !notYet.includes(id)),
      []
    )
  })

  it('wait for nothing that is there', () => {
    const ids = shown(/^test\/(?:conformance|plugin\/gateway)\//)
    assert.deepEqual(
      notYet.filter(id => ids.has(id) || !rules.includes(id)),
      []
    )
  })

  it('are, with those of clients, all that titles name', () => {
    assert.deepEqual(
      [...shown()].filter(id => !rules.includes(id) && !OF_CLIENTS.includes(id)),
      []
    )
  })
})
