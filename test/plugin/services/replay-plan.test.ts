// Which retained messages filters ask for, and where in the store they are.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { matches } from '../../../plugin/mqtt/topic.js'
import { ReplayPlan } from '../../../plugin/services/replay-plan.js'

const level = fc.constantFrom('', 'a', 'b', 'ab', '$a')
const topics = fc.array(level, { minLength: 1, maxLength: 4 }).map(levels => levels.join('/'))
const filters = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, rest]) => (rest ? [...levels.slice(1), '#'] : levels).join('/'))

describe('a plan of a replay', () => {
  it('reads what any of its filters matches, once, and knows what it wants of it', () => {
    fc.assert(
      fc.property(
        fc.array(
          filters.filter(filter => filter !== ''),
          { minLength: 1, maxLength: 6 }
        ),
        topics.filter(topic => topic !== ''),
        (wanted, topic) => {
          const plan = new ReplayPlan(wanted)
          const expected = wanted.some(filter => matches(filter, topic))
          assert.equal(plan.matches(topic), expected)
          const readings =
            plan.topics.filter(each => each === topic).length +
            plan.prefixes.filter(prefix => topic.startsWith(prefix)).length
          assert.ok(readings <= 1, `${topic} is read ${readings} times`)
          if (expected) assert.equal(readings, 1, `${topic} is not read`)
        }
      ),
      { numRuns: 5000 }
    )
  })

  it('reads as little as its filters allow', () => {
    const { topics: exact, prefixes } = new ReplayPlan(['a/b/+', 'a/b/c/#', 'c', 'a/b/x', 'd/#', '$a/#'])
    assert.deepEqual(prefixes, ['$a/', 'a/b/', 'd/'])
    assert.deepEqual([...exact].sort(), ['$a', 'c', 'd'])
  })

  it('wants nothing more for a filter that was left', () => {
    const plan = new ReplayPlan(['a/#', '+/b', 'a/b'])
    plan.leave('a/#')
    plan.leave('a/#')
    assert.deepEqual([plan.matches('a/c'), plan.matches('a/b')], [false, true])
    plan.leave('+/b')
    plan.leave('never')
    assert.equal(plan.matches('a/b'), true)
    plan.leave('a/b')
    assert.equal(plan.matches('a/b'), false)
    assert.equal(plan.filters.size, 0)
  })

  it('is made for very many filters in little time', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => (i % 2 === 0 ? `a/${i}` : `b/${i}/+`))
    const plan = new ReplayPlan(many)
    assert.equal(plan.topics.length, 5000)
    assert.equal(plan.prefixes.length, 5000)
    assert.equal(plan.matches('b/9999/x'), true)
  })
})
