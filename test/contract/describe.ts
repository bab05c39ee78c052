// The contract suite as mocha tests.
// Rule: a host claims its abilities; the first test holds it to them, since they decide which cases it must pass.

import assert from 'node:assert/strict'
import { casesFor, runCase } from './contract.js'
import type { ContractHost, ContractPart } from './fixture.js'

/**
 * `only`: these parts, where a host differs from one that passes all. `differs`: titles of cases that the host cannot pass, each with
 * the reason; they are run, and have to fail. `varies`: those where it depends on how quick the host is; they may fail in what they
 * assert, and in nothing else.
 */
export function describeContract(
  host: ContractHost,
  only?: readonly ContractPart[],
  differs: ReadonlyMap<string, string> = new Map(),
  varies: ReadonlyMap<string, string> = new Map()
): void {
  describe(`contract of the host port: ${host.name}`, () => {
    it('has the capabilities that the suite was told', async () => {
      const fixture = await host.make()
      try {
        assert.deepEqual({ ...fixture.space.capabilities }, { ...host.capabilities })
        assert.equal(
          'principal' in (await fixture.space.authenticate({ mechanism: 'ANONYMOUS' })),
          host.anonymous
        )
        assert.equal(fixture.crash !== undefined, host.offers.includes('crash'))
        assert.equal(fixture.codec !== undefined, host.offers.includes('codec'))
      } finally {
        await fixture.close()
      }
    })
    it('differs from the contract only in cases that there are', () => {
      const titles = new Set(casesFor(host).map(({ title }) => title))
      assert.deepEqual(
        [...differs.keys(), ...varies.keys()].filter(title => !titles.has(title)),
        []
      )
    })
    const cases = casesFor(host).filter(({ part }) => only?.includes(part) ?? true)
    for (const part of new Set(cases.map(each => each.part))) {
      describe(part, () => {
        for (const each of cases.filter(candidate => candidate.part === part)) {
          const [never, sometimes] = [differs.get(each.title), varies.get(each.title)]
          if (never !== undefined)
            it(`differs, since ${never}: ${each.title}`, () => assert.rejects(runCase(host, each)))
          else if (sometimes !== undefined)
            it(`varies, since ${sometimes}: ${each.title}`, () => runCase(host, each).catch(mayAssert))
          else it(each.title, () => runCase(host, each))
        }
      })
    }
  })
}

function mayAssert(error: unknown): void {
  assert.ok(error instanceof assert.AssertionError, String(error))
}
