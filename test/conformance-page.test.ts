// docs/conformance.md: what of a run counts, and how it is told.

import assert from 'node:assert/strict'

import { conformancePage } from '../scripts/conformance-page.js'
import type { PassedTest } from './fixtures/passed-tests.js'
import { NOT_YET, STATEMENTS } from './conformance/statements.js'

/** Lines under a statement. */
function shownOf(id: string, ...passed: readonly PassedTest[]): string[] {
  const lines = conformancePage(passed).split('\n')
  const start = lines.findIndex(line => line.startsWith(`- **MQTT-${id}** `))
  assert.notEqual(start, -1, id)
  const end = lines.findIndex((line, i) => i > start && !line.startsWith('  - '))
  return lines.slice(start + 1, end)
}

const CONNECT = {
  file: 'test/conformance/connect.test.ts',
  title: 'answers with *0* [MQTT3-3.1.4-4] [MQTT3-3.2.0-1]'
}

describe('the page of conformance', () => {
  it('tells each test of a statement once, with its file', () => {
    const other = { file: 'test/plugin/session/handshake.test.ts', title: 'opens [MQTT3-3.1.4-4]' }
    const told = [
      '  - answers with \\*0\\* (`conformance/connect.test.ts`)',
      '  - opens (`plugin/session/handshake.test.ts`)'
    ]
    assert.deepEqual(shownOf('3.1.4-4', other, CONNECT, CONNECT), told)
    assert.deepEqual(shownOf('3.2.0-1', CONNECT), told.slice(0, 1))
  })

  it('is the same whatever seed a test had', () => {
    const { file } = CONNECT
    assert.deepEqual(shownOf('3.1.4-4', { file, title: 'takes all, seed 123 [MQTT3-3.1.4-4]' }), [
      '  - takes all (`conformance/connect.test.ts`)'
    ])
  })

  it('counts no test that neither sends bytes on a socket nor packets into the core', () => {
    const title = 'matches [MQTT3-4.7.1-2]'
    for (const file of [
      'test/plugin/mqtt/topic.test.ts',
      'test/plugin/gateway/inbox.test.ts',
      'test/conformance/not-yet.test.ts',
      'test/contract/embedded.test.ts'
    ]) {
      assert.deepEqual(shownOf('4.7.1-2', { file, title }), ['  - no test that passed'], file)
    }
  })

  it('gives the reason of a statement that waits, whatever passed', () => {
    const title = 'keeps a will [MQTT3-3.1.2-8]'
    assert.deepEqual(shownOf('3.1.2-8', { file: 'test/plugin/session/outbound.test.ts', title }), [
      '  - not yet: wills'
    ])
  })

  it('has every statement, and the sum of those that are shown', () => {
    const page = conformancePage([CONNECT])
    for (const id of Object.keys(STATEMENTS)) assert.ok(page.includes(`- **MQTT-${id}** `), id)
    assert.ok(page.includes('**2 of 128 are shown**'))
    const waiting = Object.values(NOT_YET).flat().length
    assert.equal(page.match(/ {2}- not yet: /g)?.length, waiting)
    assert.equal(page.match(/ {2}- no test that passed/g)?.length, 128 - waiting - 2)
  })
})
