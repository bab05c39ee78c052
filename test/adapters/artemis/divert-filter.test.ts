import assert from 'node:assert/strict'
import { divertFilter } from '../../../adapters/artemis/routes.js'

const QUEUES = ['work', 'a/queue', "it's"]

describe('what a divert keeps out', () => {
  it('is nothing where the filter is one topic', () => {
    assert.equal(divertFilter({ filter: 'a/b' }, QUEUES), undefined)
  })

  it('is the host’s queues that a filter matches', () => {
    assert.equal(divertFilter({ filter: 'b/#' }, QUEUES), undefined)
    assert.equal(divertFilter({ filter: 'a/+' }, QUEUES), "AMQAddress NOT IN ('a/queue')")
  })

  it('is all that is no topic where the filter starts with a wildcard', () => {
    for (const filter of ['#', '+', '+/a', '+/#']) {
      const condition = divertFilter({ filter }, QUEUES) ?? ''
      assert.match(condition, /AMQAddress NOT LIKE '\$%'/, filter)
      assert.match(condition, /'activemq\.notifications','DLQ','ExpiryQueue'/, filter)
      assert.match(condition, /NOT LIKE '_{8}-_{4}-_{4}-_{4}-_{12}'/, filter)
    }
    assert.match(divertFilter({ filter: '#' }, QUEUES) ?? '', /,'work','a\/queue','it''s'\)/)
  })

  it('is what the plugin owns, and no other address with $, for retained messages', () => {
    const condition = divertFilter({ filter: '#', only: 'retained' }, []) ?? ''
    assert.match(condition, /^"m\.x-opt-retain-message" = TRUE AND AMQAddress NOT LIKE '\$mqtt\.%'/)
    assert.doesNotMatch(condition, /LIKE '\$%'/)
    assert.equal(divertFilter({ filter: 'a', only: 'retained' }, []), '"m.x-opt-retain-message" = TRUE')
  })
})
