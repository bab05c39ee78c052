// What is made from the schemas agrees with them, and the schemas say all that an operator needs to know.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { optionsOf, type Schema } from '../scripts/configuration-page.js'
import { generate } from '../scripts/generated.js'

const readSchema = (name: string): Schema =>
  JSON.parse(readFileSync(new URL(`../schemas/${name}.schema.json`, import.meta.url), 'utf8')) as Schema

describe('what is made from the schemas', () => {
  it('is what `npm run docs` writes', async () => {
    for (const { path, url, text } of await generate()) {
      assert.equal(readFileSync(url, 'utf8'), text, `${path} is stale: npm run docs`)
    }
  })
})

describe('options of the plugin', () => {
  const options = optionsOf(readSchema('config'))

  for (const { path, schema } of options) {
    it(`have a default, a description, x-live and, for a quantity, a unit: ${path}`, () => {
      assert.notEqual(schema.default, undefined)
      assert.match(schema.description ?? '', /^[A-Z].*\.$/s)
      assert.equal(typeof schema['x-live'], 'boolean')
      const quantity = (schema.type === 'integer' || schema.type === 'number') && !path.endsWith('.port')
      assert.equal(schema.unit !== undefined, quantity)
    })
  }

  it('are all in docs/configuration.md, and so are those of the program', () => {
    const page = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8')
    const all = [...options, ...optionsOf(readSchema('standalone'))].map(({ path }) => path)
    assert.ok(all.includes('spaces[].users[].clientIds'))
    for (const path of all.filter(each => each !== '$schema')) assert.ok(page.includes(`\`${path}\``), path)
  })
})
