// Waits between attempts, with a chance that the test decides.

import assert from 'node:assert/strict'
import { Backoff } from '../../plugin/backoff.js'

const next = (backoff: Backoff, count: number): number[] =>
  Array.from({ length: count }, () => backoff.next())

describe('the waits between attempts', () => {
  it('double up to their bound, and begin anew after a success', () => {
    const backoff = new Backoff(10, 70, () => 1 - Number.EPSILON)
    assert.deepEqual(next(backoff, 5).map(Math.round), [10, 20, 40, 70, 70])
    backoff.reset()
    assert.deepEqual(next(backoff, 2).map(Math.round), [10, 20])
  })

  it('are at least half as long', () => {
    assert.deepEqual(next(new Backoff(10, 40, () => 0), 4), [5, 10, 20, 20])
  })

  it('differ between two that began together', () => {
    assert.notDeepEqual(next(new Backoff(10, 1000), 8), next(new Backoff(10, 1000), 8))
  })
})
