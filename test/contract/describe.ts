// The contract suite as mocha tests.
// Rule: a host claims its abilities; the first test holds it to them, since they decide which cases it must pass.

import assert from 'node:assert/strict'
import { casesFor, runCase } from './contract.js'
import type { ContractHost, ContractPart } from './fixture.js'

/** `only`: these parts, where a host differs from one that passes all. */
export function describeContract(host: ContractHost, only?: readonly ContractPart[]): void {
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
    const cases = casesFor(host).filter(({ part }) => only?.includes(part) ?? true)
    for (const part of new Set(cases.map(each => each.part))) {
      describe(part, () => {
        for (const each of cases.filter(candidate => candidate.part === part)) {
          it(each.title, () => runCase(host, each))
        }
      })
    }
  })
}
