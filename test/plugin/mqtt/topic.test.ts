import assert from 'node:assert/strict'
import fc from 'fast-check'
import { covers, isValidTopicFilter, isValidTopicName, matches } from '../../../plugin/mqtt/topic.js'

/** The specification's words, level by level, with no eye to speed. */
function matchesNaively(filter: string, topic: string): boolean {
  const wanted = filter.split('/')
  const levels = topic.split('/')
  if (topic.startsWith('$') && (wanted[0] === '+' || wanted[0] === '#')) return false
  if (wanted.at(-1) === '#') {
    wanted.pop()
    if (levels.length < wanted.length) return false
    levels.length = wanted.length
  }
  return wanted.length === levels.length && wanted.every((level, i) => level === '+' || level === levels[i])
}

const literal = fc.constantFrom('', 'a', 'b', '$s')
const topicName = fc
  .array(literal, { minLength: 1, maxLength: 4 })
  .map(levels => levels.join('/'))
  .filter(topic => topic !== '')
const topicFilter = fc
  .tuple(
    fc.array(fc.oneof(literal, fc.constant('+')), { minLength: 0, maxLength: 3 }),
    fc.constantFrom('', '+', '#', 'a')
  )
  .map(([levels, last]) => [...levels, last].join('/'))
  .filter(filter => filter !== '')

/** All topics of up to five levels; `z` stands for every name that no filter mentions. */
function enumerateTopics(): string[] {
  let level: string[] = ['']
  const topics: string[] = []
  for (let depth = 0; depth < 5; depth++) {
    const next: string[] = []
    for (const start of level) {
      for (const name of ['', 'a', 'b', '$s', 'z', '$z']) next.push(depth === 0 ? name : `${start}/${name}`)
    }
    topics.push(...next.filter(topic => topic !== ''))
    level = next
  }
  return topics
}

describe('topic', () => {
  it('takes names without wildcards [MQTT3-3.3.2-2] [MQTT3-4.7.1-1]', () => {
    for (const topic of ['a', '/', 'a//b', ' ', 'a b/ü/😀', '$SYS/x', '\ufeffa'])
      assert.ok(isValidTopicName(topic), topic)
    for (const topic of ['+', '#', 'a/+', 'a/#', 'a+', 'a#b']) assert.ok(!isValidTopicName(topic), topic)
  })

  it('refuses the empty name and the empty filter [MQTT3-4.7.3-1]', () => {
    assert.ok(!isValidTopicName(''))
    assert.ok(!isValidTopicFilter(''))
  })

  it('refuses U+0000 [MQTT3-4.7.3-2]', () => {
    assert.ok(!isValidTopicName('a\0b'))
    assert.ok(!isValidTopicFilter('a\0b'))
  })

  it('counts bytes, not characters, up to 65535 [MQTT3-4.7.3-3]', () => {
    assert.ok(isValidTopicName('a'.repeat(65535)))
    assert.ok(!isValidTopicName('a'.repeat(65536)))
    assert.ok(isValidTopicFilter('ü'.repeat(32767)))
    assert.ok(!isValidTopicFilter('ü'.repeat(32768)))
  })

  it('refuses surrogates without their other half, which have no UTF-8 [MQTT3-1.5.3-1]', () => {
    for (const text of ['\ud800', 'a\udc00', '\ud83d/\ude00', '\udc00\ud800', '\ud800a', 'a\ud800']) {
      assert.ok(!isValidTopicName(text))
      assert.ok(!isValidTopicFilter(text))
    }
  })

  it('takes # only as the last level [MQTT3-4.7.1-2]', () => {
    for (const filter of ['#', '/#', 'a/#', '+/#']) assert.ok(isValidTopicFilter(filter), filter)
    for (const filter of ['#/', 'a#', '#a', 'a/#/b', '##', '#/#', '+#'])
      assert.ok(!isValidTopicFilter(filter), filter)
  })

  it('takes + only as a whole level [MQTT3-4.7.1-3]', () => {
    for (const filter of ['+', '+/+', '/+', '+/', 'a/+/b']) assert.ok(isValidTopicFilter(filter), filter)
    for (const filter of ['a+', '+a', 'a/b+', '++', 'a/+b/c']) assert.ok(!isValidTopicFilter(filter), filter)
  })

  it('counts levels', () => {
    assert.ok(isValidTopicName('a/b/', 3))
    assert.ok(!isValidTopicName('a/b//', 3))
    assert.ok(isValidTopicFilter('a/+/#', 3))
    assert.ok(!isValidTopicFilter('a/+/+/#', 3))
  })

  it('matches as the examples of the specification say [MQTT3-4.7.1-2] [MQTT3-4.7.1-3]', () => {
    const yes: [string, string][] = [
      ['sport/tennis/player1/#', 'sport/tennis/player1'],
      ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon'],
      ['sport/#', 'sport'],
      ['#', 'a/b/c'],
      ['sport/tennis/+', 'sport/tennis/player1'],
      ['sport/+', 'sport/'],
      ['+/+', '/finance'],
      ['/+', '/finance'],
      ['+/monitor/Clients', 'x/monitor/Clients']
    ]
    const no: [string, string][] = [
      ['sport/tennis/+', 'sport/tennis/player1/ranking'],
      ['sport/+', 'sport'],
      ['+', '/finance'],
      ['/finance', 'finance'],
      ['ACCOUNTS', 'Accounts'],
      ['sport/tennis/#', 'sport/tennisx']
    ]
    for (const [filter, topic] of yes) assert.ok(matches(filter, topic), `${filter} ${topic}`)
    for (const [filter, topic] of no) assert.ok(!matches(filter, topic), `${filter} ${topic}`)
  })

  it('keeps wildcards at the first level away from $ topics [MQTT3-4.7.2-1]', () => {
    for (const filter of ['#', '+', '+/monitor', '+/#']) {
      assert.ok(!matches(filter, '$SYS'))
      assert.ok(!matches(filter, '$SYS/monitor'))
    }
    assert.ok(matches('$SYS/#', '$SYS/monitor'))
    assert.ok(matches('$SYS/+', '$SYS/monitor'))
    assert.ok(matches('a/+', 'a/$b'))
  })

  it('does not normalize [MQTT3-4.7.3-4]', () => {
    assert.ok(!matches('\u00e9', 'e\u0301'))
    assert.ok(!matches('a//b', 'a/b'))
    assert.ok(!matches('a', '\ufeffa'))
  })

  it('matches what the words of the specification match', () => {
    fc.assert(
      fc.property(topicFilter, topicName, (filter, topic) => {
        assert.equal(matches(filter, topic), matchesNaively(filter, topic))
      }),
      { numRuns: 3000 }
    )
  })

  it('makes valid names and filters of levels', () => {
    fc.assert(
      fc.property(topicFilter, topicName, (filter, topic) => {
        assert.ok(isValidTopicFilter(filter) && isValidTopicFilter(topic) && isValidTopicName(topic))
      })
    )
  })

  const topics = enumerateTopics()

  it('covers exactly when every topic of the filter is matched', () => {
    fc.assert(
      fc.property(topicFilter, topicFilter, (allowed, filter) => {
        const expected = topics.every(topic => !matches(filter, topic) || matches(allowed, topic))
        assert.equal(covers(allowed, filter), expected)
      }),
      { numRuns: 300 }
    )
    assert.ok(covers('+/+/#', '/#') && covers('/+/#', '/#') && !covers('+/+/#', '#'))
    assert.ok(covers('+/#', '#') && covers('#', '+/#') && !covers('a/+/#', 'a/#') && !covers('#', '$s/#'))
  })
})
