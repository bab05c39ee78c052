// docs/rhea-traps.md and the sources agree: each guard is a file, each test is there by its title.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

interface Row {
  readonly trap: string
  readonly guards: readonly string[]
  readonly test: string
  readonly title: string
}

function rowOf(line: string): Row {
  const [, trap = '', guard = '', proof = ''] = line.split('|').map(cell => cell.trim())
  const [, test = '', title = ''] = /^`([^`]+)`: `([^`]+)`$/.exec(proof) ?? []
  return { trap, guards: [...guard.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path), test, title }
}

describe('traps of rhea', () => {
  const rows = read('docs/rhea-traps.md')
    .split('\n')
    .filter(line => line.startsWith('| ') && !/^\| (?:trap|-+) /.test(line))
    .map(rowOf)

  it('have a guard each, in a file that is there', () => {
    assert.ok(rows.length > 40)
    for (const { trap, guards } of rows) {
      assert.ok(guards.length > 0, trap)
      for (const path of guards) assert.ok(existsSync(join(root, path)), `${trap}: there is no ${path}`)
    }
  })

  it('have a test each, by its title', () => {
    for (const { trap, test, title } of rows) {
      assert.ok(title !== '', `${trap}: no test`)
      assert.ok(read(test).includes(`'${title}'`), `${trap}: ${test} has no test called '${title}'`)
    }
  })
})
