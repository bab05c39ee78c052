import assert from 'node:assert/strict'
import v8 from 'node:v8'
import vm from 'node:vm'
import fc from 'fast-check'
import { TopicTree } from '../../../plugin/mqtt/topic-tree.js'
import { matches } from '../../../plugin/mqtt/topic.js'

const literal = fc.constantFrom('', 'a', 'b', '$s')
const topicName = fc
  .array(literal, { minLength: 1, maxLength: 4 })
  .map(levels => levels.join('/'))
  .filter(topic => topic !== '')
const topicFilter = fc
  .tuple(
    fc.array(fc.oneof(literal, fc.constant('+')), { maxLength: 3 }),
    fc.constantFrom('', '+', '#', 'a', 'b')
  )
  .map(([levels, last]) => [...levels, last].join('/'))
  .filter(filter => filter !== '')

v8.setFlagsFromString('--expose-gc')
const collectGarbage = vm.runInNewContext('gc') as () => void

function usedBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

function matchAll(tree: TopicTree<number>, topic: string): number[] {
  const found: number[] = []
  tree.match(topic, value => found.push(value))
  return found.sort((a, b) => a - b)
}

describe('TopicTree', () => {
  it('agrees with a list of pairs that are tried one by one', () => {
    const operation = fc.record({
      add: fc.boolean(),
      filter: topicFilter,
      value: fc.integer({ min: 0, max: 3 })
    })
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 30 }),
        fc.array(topicName, { minLength: 1, maxLength: 10 }),
        (operations, topics) => {
          const tree = new TopicTree<number>()
          const pairs = new Map<string, [filter: string, value: number]>()
          for (const { add, filter, value } of operations) {
            const key = `${value} ${filter}`
            if (add) {
              tree.add(filter, value)
              pairs.set(key, [filter, value])
            } else assert.equal(tree.remove(filter, value), pairs.delete(key))
            assert.equal(tree.size, pairs.size)
          }
          for (const topic of topics) {
            const expected = [...pairs.values()].filter(([filter]) => matches(filter, topic))
            assert.deepEqual(matchAll(tree, topic), expected.map(([, value]) => value).sort())
          }
        }
      ),
      { numRuns: 1000 }
    )
  })

  it('keeps wildcards at the first level away from $ topics [MQTT3-4.7.2-1]', () => {
    const tree = new TopicTree<number>()
    for (const [value, filter] of ['#', '+/a', '+/#', '$s/#', '$s/+', '$s/a'].entries())
      tree.add(filter, value)
    assert.deepEqual(matchAll(tree, '$s/a'), [3, 4, 5])
    assert.deepEqual(matchAll(tree, 'x/a'), [0, 1, 2])
  })

  it('has one of the same pair, and a value twice under two filters', () => {
    const tree = new TopicTree<number>()
    for (const filter of ['a/b', 'a/b', 'a/+', 'a/+']) tree.add(filter, 7)
    assert.equal(tree.size, 2)
    assert.deepEqual(matchAll(tree, 'a/b'), [7, 7])
  })

  it('needs no call stack for a topic of 32768 levels', () => {
    const tree = new TopicTree<number>()
    const levels = 32768
    const topic = new Array<string>(levels).fill('a').join('/')
    const filters = [
      topic,
      topic.replaceAll('a', '+'),
      `${topic.slice(0, -2)}/+`,
      '#',
      `${topic.slice(0, -1)}#`
    ]
    for (const [value, filter] of filters.entries()) tree.add(filter, value)
    assert.deepEqual(matchAll(tree, topic), [0, 1, 2, 3, 4])
    for (const [value, filter] of filters.entries()) assert.ok(tree.remove(filter, value))
    assert.equal(tree.size, 0)
    assert.deepEqual(matchAll(tree, topic), [])
  })

  it('lets a visitor remove what it visits', () => {
    const tree = new TopicTree<number>()
    const filters = ['a/b', 'a/+', 'a/#', '+/b']
    for (const [value, filter] of filters.entries())
      for (let i = 0; i < 3; i++) tree.add(filter, value * 3 + i)
    const seen: number[] = []
    tree.match('a/b', value => {
      seen.push(value)
      for (let i = 0; i < 12; i++) if (i !== value) tree.remove(filters[Math.floor(i / 3)] ?? '', i)
    })
    assert.equal(seen.length, 1)
    assert.equal(tree.size, 1)
  })

  it('gives back the memory of what was removed', () => {
    const tree = new TopicTree<number>()
    const before = usedBytes()
    for (let i = 0; i < 20_000; i++) tree.add(`a/${i}/+/c${i}/#`, i)
    const full = usedBytes()
    for (let i = 0; i < 20_000; i++) assert.ok(tree.remove(`a/${i}/+/c${i}/#`, i))
    const after = usedBytes()
    assert.equal(tree.size, 0)
    assert.ok(full - before > 4e6, `${full - before} bytes`)
    assert.ok(after - before < 1e6, `${after - before} bytes`)
  })

  it('knows what is there when a filter is removed that never was', () => {
    const tree = new TopicTree<number>()
    tree.add('a/+/b', 1)
    for (const filter of ['a', 'a/+', 'a/+/b/c', 'a/+/#', '#', '+', 'a/+/b/+'])
      assert.equal(tree.remove(filter, 1), false)
    assert.equal(tree.remove('a/+/b', 2), false)
    assert.deepEqual(matchAll(tree, 'a/x/b'), [1])
  })
})
