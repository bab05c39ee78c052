// Which normative statements of MQTT 3.1.1 are shown by a test: all that bind a server, but for those named here with a reason.
// Rule: a feature that comes takes its rows out of NOT_YET, and this test then asks for its titles.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Section to the numbers of its statements that bind a server, as in MQTT 3.1.1, appendix B. */
const SERVER_RULES: Readonly<Record<string, readonly number[]>> = {
  '1.5.3': [1, 2, 3],
  '2.2.2': [1, 2],
  '2.3.1': [1, 4, 5, 6, 7],
  '3.1.0': [2],
  '3.1.2': [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24],
  '3.1.3': [1, 2, 3, 4, 5, 6, 8, 9, 10, 11],
  '3.1.4': [1, 2, 3, 4, 5],
  '3.2.0': [1],
  '3.2.2': [1, 2, 3, 4, 5, 6],
  '3.3.1': [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  '3.3.2': [1, 2, 3],
  '3.3.4': [1],
  '3.3.5': [1, 2],
  '3.6.1': [1],
  '3.8.1': [1],
  '3.8.3': [1, 2, 3],
  '3.8.4': [1, 2, 3, 4, 5, 6],
  '3.9.3': [1, 2],
  '3.10.1': [1],
  '3.10.3': [1, 2],
  '3.10.4': [1, 2, 3, 4, 5, 6],
  '3.12.4': [1],
  '3.14.1': [1],
  '3.14.4': [3],
  '4.1.0': [1, 2],
  '4.3.1': [1],
  '4.3.2': [1, 2],
  '4.3.3': [1, 2],
  '4.4.0': [1],
  '4.5.0': [1],
  '4.6.0': [1, 5, 6],
  '4.7.1': [1, 2, 3],
  '4.7.2': [1],
  '4.7.3': [1, 2, 3, 4],
  '4.8.0': [1, 2],
  '6.0.0': [1, 2, 4],
  '7.0.0': [1, 2],
  '7.1.1': [1],
  // as they are written in the specification
  '3-8.3': [4],
  '3.1.2.7': []
}

const NOT_YET: Readonly<Record<string, readonly string[]>> = {
  wills: ['3.1.2-8', '3.1.2-10', '3.1.2-16', '3.1.2-17', '3.14.4-3'],
  'sessions that outlive their connection': [
    ...['3.1.2-4', '3.1.2-5', '3.2.2-2', '3.2.2-3'],
    ...['3.3.1-1', '4.4.0-1', '4.6.0-1']
  ],
  'retained messages': [
    ...['3.1.2.7', '3.3.1-5', '3.3.1-6', '3.3.1-7'],
    ...['3.3.1-8', '3.3.1-10', '3.3.1-11']
  ],
  'QoS 2': ['4.3.3-1', '4.3.3-2'],
  WebSocket: ['6.0.0-1', '6.0.0-2', '6.0.0-4'],
  'connections to other MQTT servers, which nobody asked for': ['7.0.0-1']
}

/** Ids in titles of tests; those of not-yet.test.ts show a refusal. */
function shown(): Set<string> {
  const root = new URL('../', import.meta.url)
  const files = ['conformance/', 'plugin/gateway/'].flatMap(folder =>
    readdirSync(new URL(folder, root)).map(name => new URL(folder + name, root))
  )
  const ids = new Set<string>()
  for (const file of files) {
    const path = fileURLToPath(file)
    if (!path.endsWith('.test.ts') || path.endsWith('not-yet.test.ts')) continue
    const titles = readFileSync(path, 'utf8').matchAll(/\bit\(\s*(['`])(.*?)\1\s*,/gs)
    for (const [, , title = ''] of titles)
      for (const [, id = ''] of title.matchAll(/\[MQTT3-([\d.-]+)\]/g)) ids.add(id)
  }
  return ids
}

describe('conformance: the rules of MQTT 3.1.1 that bind a server', () => {
  const rules = Object.entries(SERVER_RULES).flatMap(([section, numbers]) =>
    numbers.length === 0 ? [section] : numbers.map(number => `${section}-${number}`)
  )
  const notYet = new Set(Object.values(NOT_YET).flat())

  it('are all there', () => assert.equal(new Set(rules).size, 128))

  it('are each shown by a test, or wait for a feature', () => {
    const ids = shown()
    assert.deepEqual(
      rules.filter(id => !ids.has(id) && !notYet.has(id)),
      []
    )
  })

  it('wait for nothing that is there', () => {
    const ids = shown()
    assert.deepEqual(
      [...notYet].filter(id => ids.has(id) || !rules.includes(id)),
      []
    )
  })
})
