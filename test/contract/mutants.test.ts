// The suite is held to what it is for: it fails on every broken host, and passes the wrapper that breaks none.

import assert from 'node:assert/strict'
import { AmqpError } from '../../plugin/errors.js'
import { casesFor, runCase } from './contract.js'
import { embedded } from './embedded.js'
import type { ContractCase } from './fixture.js'
import type { Mutant } from './mutant.js'
import { mutants } from './mutants.js'
import { through } from './through.js'

/** ms that a case waits on a mutant for what does not come */
const PATIENCE_MS = 400

const cases = casesFor(embedded)

const isHinted = ({ hints }: Mutant, { title, part }: ContractCase): boolean =>
  hints.includes(title) || hints.includes(part)

/** A failure of a case, and none of a mutant's own code. */
function isFinding(error: unknown): boolean {
  if (error instanceof assert.AssertionError || error instanceof AmqpError) return true
  return error instanceof Error && error.message.startsWith('waited ')
}

/** The first case that fails on the mutant. */
async function killerOf(mutant: Mutant): Promise<ContractCase | undefined> {
  const host = through(embedded, mutant.mutate, PATIENCE_MS)
  const hinted = cases.filter(each => isHinted(mutant, each))
  const others = cases.filter(each => !isHinted(mutant, each))
  for (const each of [...hinted, ...others]) {
    try {
      await runCase(host, each)
    } catch (error) {
      if (isFinding(error)) return each
      throw error
    }
  }
  return undefined
}

describe('mutants of the embedded host', () => {
  it('pass the suite where they change nothing', async () => {
    const host = through(embedded, () => ({}))
    for (const each of cases) await runCase(host, each)
  }).timeout(60_000)

  it('have hints that name cases', () => {
    const known = new Set(cases.flatMap(({ title, part }): string[] => [title, part]))
    const unknown = mutants.flatMap(({ hints }) => hints.filter(hint => !known.has(hint)))
    assert.deepEqual(unknown, [])
  })

  for (const mutant of mutants) {
    it(`are caught: a host that ${mutant.title}`, async () => {
      const killer = await killerOf(mutant)
      assert.ok(killer, 'passes every case of the contract')
      if (process.env['CONTRACT_KILLERS'] !== undefined) console.log(`      by: ${killer.title}`)
    }).timeout(60_000)
  }
})
