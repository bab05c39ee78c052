// docs/logs.md and the log calls of the sources agree, and every call keeps to the rule: fields first, then a constant message.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

import { logCalls, logCallsIn } from './log-lines.js'

/** Level and message of what the page lists. */
function listed(): string[] {
  const page = readFileSync(new URL('../docs/logs.md', import.meta.url), 'utf8')
  return page.split(/^## /m).flatMap(section => {
    const level = /^\w+/.exec(section)?.[0] ?? ''
    return ['error', 'warn'].includes(level)
      ? [...section.matchAll(/^- `([^`]+)`: \S/gm)].map(([, message = '']) => `${level}: ${message}`)
      : []
  })
}

describe('log lines', () => {
  const calls = logCalls()

  it('are found in sources', () => {
    const text = `
      this.#log.warn({ a: f(')') }, 'one')
      log[level](who({ b: 'x' }), 'two')
      options.log.error(
        { err: error },
        'three, with a comma'
      )
      log.debug({}, \`four \${a}\`)
      const warn: Action = { type: 'warn', message: 'five', fields }`
    assert.deepEqual(
      logCallsIn('f', text).map(({ level, message }) => [level, message]),
      [
        ['warn', 'one'],
        [undefined, 'two'],
        ['error', 'three, with a comma'],
        ['debug', undefined],
        ['warn', 'five']
      ]
    )
    assert.ok(calls.length > 40)
  })

  it('have a constant message', () => {
    // the session core's lines have theirs in the action; what adds the space's name passes them on
    const changing = calls.filter(({ message }) => message === undefined).map(({ file }) => file)
    assert.deepEqual([...new Set(changing)].sort(), ['plugin/gateway/bridge.ts', 'plugin/space-log.ts'])
  })

  it('at warn and error are each in docs/logs.md, and nothing else is', () => {
    const loud = calls.flatMap(({ level = 'warn', message }) =>
      message === undefined || !['warn', 'error'].includes(level) ? [] : [`${level}: ${message}`]
    )
    const page = listed()
    assert.deepEqual(
      loud.filter(each => !page.includes(each)),
      [],
      'docs/logs.md lacks these'
    )
    assert.deepEqual(
      page.filter(each => !loud.includes(each)),
      [],
      'docs/logs.md has these, and no source'
    )
    assert.equal(new Set(page).size, page.length)
  })
})
