// The feed of retained messages: its order, its markers, and writes that fail.

import assert from 'node:assert/strict'
import type { AmqpConnection } from '../../../plugin/host.js'
import { encodePublication } from '../../../plugin/messages/publish.js'
import { encodeFeedMarker, RETAINED_FEED } from '../../../plugin/messages/retained.js'
import { DamagedRecords } from '../../../plugin/services/damaged-records.js'
import { RetainedFeed } from '../../../plugin/services/retained-feed.js'
import { RetainedMessages } from '../../../plugin/services/retained-messages.js'
import { RunningGateway } from '../../fixtures/gateway.js'
import { MemoryStore } from '../../fixtures/memory-store.js'

describe('the feed of retained messages', () => {
  let host: RunningGateway
  let amqp: AmqpConnection
  let feed: RetainedFeed
  let store: MemoryStore
  let errors: string[]

  beforeEach(async () => {
    host = await RunningGateway.start({ mqtt: undefined })
    amqp = await host.space.connect('service')
    store = new MemoryStore()
    errors = []
    const nothing = (): void => undefined
    const error = (_fields: object, message: string): void => void errors.push(message)
    const log = { debug: nothing, info: nothing, warn: nothing, error }
    const now = (): number => Date.now()
    const messages = new RetainedMessages({ store, damaged: new DamagedRecords(store, log), log, now })
    feed = new RetainedFeed({ space: host.space, connection: amqp, messages, log, now })
  })
  afterEach(async () => {
    await feed.close()
    await host.stop()
  })

  async function retain(...entries: readonly (readonly [topic: string, payload: string])[]): Promise<void> {
    const sender = await amqp.openSender({ address: undefined })
    const sent = entries.map(([topic, payload]) => {
      const publication = { topic, payload: Buffer.from(payload), qos: 1, retain: true, dup: false } as const
      return new Promise(resolve => sender.send(encodePublication(publication), resolve))
    })
    await Promise.all(sent)
    await sender.close()
  }

  /** Topic and payload of what is in the store. */
  const stored = (): string[] =>
    [...store.values]
      .map(([topic, { body }]) => `${topic}=${body.type === 'data' ? String(body.sections[0]) : body.type}`)
      .sort()

  it('has all in the store that was accepted before somebody asked, however many ask', async () => {
    await feed.open()
    let writes = 0
    store.onWrite = async () => {
      writes += 1
      await new Promise(setImmediate)
    }
    for (let round = 0; round < 20; round++) {
      const entries = Array.from({ length: 50 }, (_, i) => [`t/${i % 7}`, `${round}-${i}`] as const)
      await retain(...entries)
      await Promise.all(Array.from({ length: 100 }, () => feed.passed()))
      assert.equal(writes, 50 * (round + 1))
      const last = [...new Map(entries)].map(([topic, payload]) => `${topic}=${payload}`)
      assert.deepEqual(stored(), last.sort())
    }
  })

  it('takes what waited before it was there, and markers that are not its own are nothing to it', async () => {
    await host.space.queues.create(RETAINED_FEED)
    await host.space.routes.add({ filter: '#', queue: RETAINED_FEED, only: 'retained' })
    await retain(['a', '1'], ['b', '1'], ['a', '2'], ['b', ''])
    const sender = await amqp.openSender({ address: RETAINED_FEED })
    for (const id of ['another/1', '1']) sender.send(encodeFeedMarker(id))
    const passed = feed.passed()
    await feed.open()
    await passed
    assert.deepEqual(stored(), ['a=2'])
  })

  it('takes all again, in order, where a write fails, and loses nothing', async () => {
    await feed.open()
    let failures = 3
    store.onWrite = async topic => {
      await new Promise(setImmediate)
      if (topic === 'b' && failures > 0) {
        failures -= 1
        throw new Error('as the test wants')
      }
    }
    await retain(['a', '1'], ['b', '1'], ['a', '2'], ['b', '2'], ['c', '1'], ['b', '3'])
    await feed.passed()
    assert.equal(failures, 0)
    assert.deepEqual(stored(), ['a=2', 'b=3', 'c=1'])
    assert.ok(errors.length > 0)
    assert.ok(
      errors.every(message => message === 'a retained message could not be stored: it is tried again')
    )
  })

  it('comes back when the host has closed its receiver, and whoever waits is told when it has', async () => {
    await feed.open()
    let release: (() => void) | undefined
    store.onWrite = () => new Promise(resolve => (release = resolve))
    await retain(['a', '1'])
    const passed = feed.passed()
    while (release === undefined) await new Promise(setImmediate)
    await host.space.queues.closeConsumers(RETAINED_FEED)
    store.onWrite = () => Promise.resolve()
    release()
    await passed
    assert.deepEqual(stored(), ['a=1'])
  })

  it('has one consumer: another one is refused', async () => {
    await feed.open()
    const receiving = amqp.openReceiver({ address: RETAINED_FEED, window: 1, onDelivery: () => undefined })
    await assert.rejects(receiving, /resource-locked/)
  })
})
