// Topics that came live: none is forgotten before it is full, and no other one is taken for it.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { LiveTopics } from '../../../plugin/gateway/live-topics.js'

describe('live topics', () => {
  it('are those that came, short or long, and no others', () => {
    const topic = fc.string({ minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(fc.array(topic), fc.array(topic), (came, others) => {
        const live = new LiveTopics()
        for (const each of came) live.add(each)
        for (const each of came) assert.equal(live.has(each), true)
        for (const each of others) assert.equal(live.has(each), came.includes(each))
        assert.equal(live.full, false)
      })
    )
  })

  it('are full past their bound, whatever comes more than once', () => {
    const live = new LiveTopics(3)
    for (const topic of ['a', 'b', 'c', 'a', 'b', 'c']) live.add(topic)
    assert.equal(live.full, false)
    live.add('d')
    assert.equal(live.full, true)
    assert.equal(live.has('a'), true)
  })
})
