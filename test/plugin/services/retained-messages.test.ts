// Retained messages in the store: what is there, what has expired, what is damaged, and updates that come meanwhile.

import assert from 'node:assert/strict'
import type { Message } from '../../../plugin/host.js'
import { encodePublication } from '../../../plugin/messages/publish.js'
import { readRetained, type RetainedUpdate } from '../../../plugin/messages/retained.js'
import { DamagedRecords } from '../../../plugin/services/damaged-records.js'
import { RetainedMessages } from '../../../plugin/services/retained-messages.js'
import { MemoryStore } from '../../fixtures/memory-store.js'

class Scene {
  readonly store = new MemoryStore()
  readonly aside = new MemoryStore()
  readonly errors: object[] = []
  time = 1000
  readonly messages: RetainedMessages

  constructor() {
    const nothing = (): void => undefined
    const log = {
      debug: nothing,
      info: nothing,
      warn: nothing,
      error: (fields: object) => this.errors.push(fields)
    }
    const damaged = new DamagedRecords(this.aside, log)
    this.messages = new RetainedMessages({ store: this.store, damaged, log, now: () => this.time })
  }

  update(topic: string, payload: string, ttlMs?: number): RetainedUpdate {
    const publication = { topic, payload: Buffer.from(payload), qos: 1, retain: true, dup: false } as const
    const { durable, deliveryCount, annotations, properties, applicationProperties, body } =
      encodePublication(publication)
    const message: Message = {
      ...{ durable, deliveryCount, annotations, properties, applicationProperties, body, ttlMs }
    }
    return readRetained(message, this.time) ?? assert.fail()
  }

  async topics(prefix = '', after?: string): Promise<string[]> {
    const topics: string[] = []
    for await (const [topic] of this.messages.entries(prefix, after)) topics.push(topic)
    return topics
  }
}

describe('retained messages in the store', () => {
  let scene: Scene

  beforeEach(() => (scene = new Scene()))

  it('are what was put last, and tell who watches when that is done', async () => {
    const { messages } = scene
    const changed: string[] = []
    const unwatch = messages.watch(topic => changed.push(topic))
    await messages.apply(scene.update('a', '1'))
    await messages.apply(scene.update('a/b', '1'))
    assert.deepEqual(await scene.topics(), ['a', 'a/b'])
    assert.deepEqual(await scene.topics('a', 'a'), ['a/b'])
    await messages.apply(scene.update('a', ''))
    unwatch()
    await messages.apply(scene.update('a', '2'))
    assert.deepEqual(changed, ['a', 'a/b', 'a'])
    assert.deepEqual((await messages.get('a'))?.body, { type: 'data', sections: [Buffer.from('2')] })
  })

  it('are not there when they have expired, and then are deleted', async () => {
    const { messages, store } = scene
    for (const topic of ['a', 'b', 'c']) await messages.apply(scene.update(topic, '1', 10))
    await messages.apply(scene.update('d', '1'))
    scene.time += 9
    assert.deepEqual(await scene.topics(), ['a', 'b', 'c', 'd'])
    scene.time += 1
    assert.equal(await messages.get('a'), undefined)
    assert.deepEqual(await scene.topics(), ['d'])
    await new Promise(setImmediate)
    assert.deepEqual([...store.values.keys()], ['d'])
  })

  it('stay where an update comes while what has expired is cleared away', async () => {
    const { messages, store } = scene
    await messages.apply(scene.update('before', '1', 10))
    scene.time += 10
    let release: (() => void) | undefined
    // one whose write was under way when it was met
    store.onWrite = () => new Promise(resolve => (release = resolve))
    const before = messages.apply(scene.update('before', '2'))
    assert.deepEqual(await scene.topics(), [])
    store.onWrite = () => Promise.resolve()
    release?.()
    await before
    // and one that comes between the second look and the deletion
    await messages.apply(scene.update('meanwhile', '1', 10))
    scene.time += 10
    let looked: (() => void) | undefined
    store.onRead = () => new Promise(resolve => (looked = resolve))
    const found = messages.get('meanwhile')
    looked?.()
    assert.equal(await found, undefined)
    const during = messages.apply(scene.update('meanwhile', '2'))
    looked?.()
    await during
    store.onRead = () => Promise.resolve()
    await new Promise(setImmediate)
    assert.deepEqual(await scene.topics(), ['before', 'meanwhile'])
  })

  it('are not looked for in the store where a survey to its end did not see them', async () => {
    const { messages, store } = scene
    const read: string[] = []
    store.onRead = async key => void read.push(key)
    await messages.apply(scene.update('a/b', '1'))
    for (const topic of ['a/b', 'x']) await messages.get(topic)
    assert.deepEqual(read.splice(0), ['a/b', 'x'])
    let part: string | undefined
    for await (part of messages.survey(undefined)) break
    await messages.get('x')
    assert.deepEqual(read.splice(0), ['x'])
    for await (const topic of messages.survey(part)) assert.fail(topic)
    assert.equal(await messages.get('x'), undefined)
    assert.ok(await messages.get('a/b'))
    assert.deepEqual(read.splice(0), ['a/b'])
    assert.deepEqual(
      [await scene.topics('a/'), await scene.topics('x/'), await scene.topics()],
      [['a/b'], [], ['a/b']]
    )
  })

  it('are there whose writes were under way when a survey began, or came in the middle of it', async () => {
    const { messages, store } = scene
    for (const topic of ['b', 'c']) await messages.apply(scene.update(topic, '1'))
    let release: (() => void) | undefined
    store.onWrite = () => new Promise(resolve => (release = resolve))
    const before = messages.apply(scene.update('under way', '1'))
    store.onWrite = () => Promise.resolve()
    let during: Promise<void> | undefined
    for await (const topic of messages.survey(undefined))
      if (topic === 'b') during = messages.apply(scene.update('a', '1'))
    release?.()
    await Promise.all([before, during])
    await messages.apply(scene.update('after', '1'))
    for (const topic of ['a', 'b', 'c', 'under way', 'after']) assert.ok(await messages.get(topic), topic)
    assert.deepEqual(await scene.topics(), ['a', 'after', 'b', 'c', 'under way'])
  })

  it('are looked for in the store as before after a survey that failed', async () => {
    const { messages, store } = scene
    await messages.apply(scene.update('a', '1'))
    const entries = store.entries.bind(store)
    store.entries = async function* (prefix) {
      yield* entries(prefix)
      throw new Error('the store is damaged')
    }
    await assert.rejects(async () => {
      for await (const topic of messages.survey(undefined)) assert.equal(topic, 'a')
    }, /damaged/)
    const read: string[] = []
    store.onRead = async key => void read.push(key)
    assert.equal(await messages.get('x'), undefined)
    assert.deepEqual(read, ['x'])
  })

  it('are set aside and reported once where they are damaged; the others are there', async () => {
    const { messages, store, aside } = scene
    for (const topic of ['a', 'b', 'c']) await messages.apply(scene.update(topic, '1'))
    const { record } = scene.update('other', '1')
    assert.ok(record !== undefined)
    store.values.set('b', record) // of another topic
    store.values.set('$mqtt', { ...record, annotations: new Map(), body: { type: 'none' } })
    for (const _time of [1, 2]) {
      assert.deepEqual(await scene.topics(), ['a', 'c'])
      await new Promise(setImmediate)
    }
    assert.deepEqual([...store.values.keys()], ['a', 'c'])
    assert.deepEqual([...aside.values.keys()].sort(), ['retained/$mqtt', 'retained/b'])
    assert.equal(aside.values.get('retained/b'), record)
    assert.deepEqual(scene.errors, [
      { store: 'retained', key: '$mqtt' },
      { store: 'retained', key: 'b' }
    ])
  })
})
