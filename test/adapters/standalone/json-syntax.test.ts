// The place of a mistake in a JSON text: agrees with JSON.parse on what is one, and points at it.

import assert from 'node:assert/strict'
import fc from 'fast-check'

import { findSyntaxFault } from '../../../adapters/standalone/json-syntax.js'

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('JSON syntax faults', () => {
  for (const [text, line, column, expected] of [
    ['', 1, 1, 'a value'],
    ['{"a": x}', 1, 7, 'a value'],
    ['{"a": 1,}', 1, 9, 'a name in double quotes'],
    ['{\n  "a": 1\n  "b": 2\n}', 3, 3, "',' or '}'"],
    ['{"a" 1}', 1, 6, "':'"],
    ["{'a': 1}", 1, 2, "a name in double quotes or '}'"],
    ['[1,\n2', 2, 2, "',' or ']'"],
    ['[', 1, 2, "a value or ']'"],
    ['[1,]', 1, 4, 'a value'],
    ['{} {}', 1, 4, 'the end of the text'],
    ['{"a": "x\n"}', 1, 7, 'a value'],
    ['[01]', 1, 3, "',' or ']'"],
    ['// no\n{}', 1, 1, 'a value']
  ] as const) {
    it(`points at line ${line}, column ${column} of ${JSON.stringify(text)}`, () => {
      assert.deepEqual(findSyntaxFault(text), { line, column, expected })
    })
  }

  it('finds none in what JSON.parse accepts', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(4), (text, indent) => {
        assert.equal(findSyntaxFault(JSON.stringify(JSON.parse(text), null, indent)), undefined)
      })
    )
  })

  it('agrees with JSON.parse on texts with one character changed', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.constantFrom(...'{}[],:"\\0e.- tx\n'), (text, at, character) => {
        const changed = text.slice(0, at % text.length) + character + text.slice((at % text.length) + 1)
        assert.equal(findSyntaxFault(changed) === undefined, isJson(changed), changed)
      }),
      { numRuns: 2000 }
    )
  })
})
