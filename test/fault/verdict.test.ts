// The judge of the fault tests is judged first: each fault that it is there for is one that it sees.

import assert from 'node:assert/strict'
import type { Label } from './publisher.js'
import { storedBefore } from './verdict.js'

/** One publisher that sent 0 to 5, of which 0 to 3 were acknowledged; 4 was stored, 5 was not. */
const PUBLISHERS = new Map([['p', { sent: 6, acknowledged: 4 }]])

const labels = (...indices: number[]): Label[] => indices.map(index => ({ publisher: 'p', index }))

const judge = (indices: readonly number[], consumed: readonly number[] = []): number[] =>
  storedBefore(labels(...indices), PUBLISHERS, new Set(consumed.map(index => `p ${index}`))).map(l => l.index)

describe('the verdict on a queue after a fault', () => {
  it('takes what was stored and what was sent again', () => {
    assert.deepEqual(judge([0, 1, 2, 3, 4, 4, 5]), [0, 1, 2, 3, 4])
    assert.deepEqual(judge([0, 1, 2, 3, 4, 5]), [0, 1, 2, 3])
  })

  it('takes the absence of what a consumer accepted, and its return', () => {
    assert.deepEqual(judge([1, 3, 4, 5], [0, 2]), [1, 3])
    assert.deepEqual(judge([0, 1, 3, 4, 5], [0, 2]), [0, 1, 3])
  })

  const wrong: readonly (readonly [string, readonly number[]])[] = [
    ['an acknowledged message that is missing', [0, 1, 3, 4, 5]],
    ['an acknowledged message that is missing at the end of its run', [0, 1, 2, 4, 5]],
    ['an acknowledged message that comes twice', [0, 1, 1, 2, 3, 4, 5]],
    ['two messages that changed places', [0, 2, 1, 3, 4, 5]],
    ['a message that was sent again and is missing', [0, 1, 2, 3, 4]],
    ['a message that nobody sent', [0, 1, 2, 3, 4, 5, 6, 4, 5]]
  ]
  for (const [what, indices] of wrong) {
    it(`refuses ${what}`, () => {
      assert.throws(() => judge(indices), assert.AssertionError)
    })
  }

  it('refuses a message of a publisher that is not there', () => {
    assert.throws(() => storedBefore([{ publisher: 'q', index: 0 }], new Map()), assert.AssertionError)
  })
})
