// `npm run conformance`: writes docs/conformance.md from the last whole run of `npm test`; with --check it only says whether
// the page is what that run shows.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'
import type { PassedTest } from '../test/fixtures/passed-tests.js'
import { conformancePage } from './conformance-page.js'

const run = new URL('../build/passed-tests.json', import.meta.url)
const page = new URL('../docs/conformance.md', import.meta.url)

if (!existsSync(run)) {
  process.stderr.write('there is no run of the tests to read: npm test, all of it\n')
  process.exit(1)
}
const passed = JSON.parse(readFileSync(run, 'utf8')) as PassedTest[]
const text = await format(conformancePage(passed), {
  ...(await resolveConfig(page)),
  filepath: 'docs/conformance.md'
})
if (!process.argv.includes('--check')) {
  writeFileSync(page, text)
} else if (!existsSync(page) || readFileSync(page, 'utf8') !== text) {
  process.stderr.write('docs/conformance.md is not what the tests show: npm run conformance\n')
  process.exit(1)
}
