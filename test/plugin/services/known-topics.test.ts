// Which topics the store of retained messages may have: nothing that is there is ever denied.

import assert from 'node:assert/strict'
import { KnownTopics } from '../../../plugin/services/known-topics.js'

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

function surveyed(topics: Iterable<string>): KnownTopics {
  const known = new KnownTopics()
  known.begin([])
  for (const topic of topics) known.add(topic)
  known.complete()
  return known
}

describe('known topics', () => {
  it('deny nothing before a survey has come to its end', () => {
    const known = new KnownTopics()
    assert.equal(known.mayHave('a'), true)
    known.begin([])
    known.add('b')
    assert.equal(known.mayHave('a'), true)
    assert.equal(known.mayHaveBelow(''), true)
    known.complete()
    assert.equal(known.mayHave('a'), false)
    assert.equal(known.mayHave('b'), true)
  })

  it('deny all where there is nothing', () => {
    const known = surveyed([])
    assert.equal(known.mayHave('a'), false)
    assert.equal(known.mayHaveBelow(''), false)
    assert.equal(known.mayHaveBelow('a/'), false)
  })

  it('never deny what is there, nor what it begins with, and deny nearly all else, however many they are', () => {
    const topics = numbers(100_000).map(i => `site/${i % 100}/device/${i}/état`)
    const known = surveyed(topics)
    for (const topic of topics) {
      assert.ok(known.mayHave(topic), topic)
      for (const [at, character] of [...topic].entries())
        if (character === '/') assert.ok(known.mayHaveBelow(topic.slice(0, at + 1)), topic)
    }
    assert.ok(known.mayHaveBelow(''))
    const wrong = numbers(10_000).filter(i => known.mayHave(`site/${i % 100}/device/${i}/state`))
    assert.ok(wrong.length < 300, `${wrong.length} of 10000 were not denied`)
    const wrongBelow = numbers(10_000).filter(i => known.mayHaveBelow(`site/${i % 100}/sensor/${i}/`))
    assert.ok(wrongBelow.length < 300, `${wrongBelow.length} of 10000 were not denied`)
  })

  it('tell topics apart that differ in their last character, or by a slash', () => {
    const known = surveyed(['a/b', 'c/', '/'])
    assert.equal(known.mayHave('a/c'), false)
    assert.equal(known.mayHave('a'), false)
    assert.equal(known.mayHave('c'), false)
    assert.equal(known.mayHave('/'), true)
    assert.equal(known.mayHaveBelow('/'), true)
    assert.equal(known.mayHaveBelow('b/'), false)
  })

  it('forget with the next survey what has gone, and keep what came or was on its way meanwhile', () => {
    const known = surveyed(['gone', 'stays'])
    known.begin(['on its way'])
    known.add('stays')
    known.add('came')
    assert.equal(known.mayHave('gone'), true)
    known.complete()
    assert.equal(known.mayHave('gone'), false)
    for (const topic of ['stays', 'came', 'on its way']) assert.ok(known.mayHave(topic), topic)
  })

  it('stay as they are where a survey is begun again', () => {
    const known = surveyed(['a'])
    known.begin([])
    known.begin([])
    assert.equal(known.mayHave('a'), true)
    assert.equal(known.mayHave('b'), false)
  })
})
