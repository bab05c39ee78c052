// What a durable queue says of its messages and their bytes, against what is in it.

import assert from 'node:assert/strict'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { ACCEPTED, fleeting, message, turn } from './broker-fixture.js'
import { NAME, QueueScene } from './queue-scene.js'

const ROOM = { maxMessages: Infinity, maxBytes: Infinity }

describe('what a durable queue holds', () => {
  let scene: QueueScene

  beforeEach(async () => {
    scene = new QueueScene(await mkdtemp(join(tmpdir(), 'stock-')))
    await scene.start()
  })

  afterEach(() => scene.close())

  it('is known whatever comes, goes, stops and crashes, once it was asked for', async () => {
    const step = fc.oneof(
      fc.record({
        type: fc.constant('send' as const),
        sizes: fc.array(fc.nat(300), { maxLength: 12 }),
        durable: fc.boolean()
      }),
      fc.record({ type: fc.constant('attach' as const), window: fc.integer({ min: 1, max: 12 }) }),
      fc.record({ type: fc.constant('settle' as const), count: fc.nat(8), last: fc.boolean() }),
      fc.constantFrom(
        { type: 'detach' as const },
        { type: 'ask' as const },
        { type: 'turn' as const },
        { type: 'sync' as const },
        { type: 'restart' as const },
        { type: 'crash' as const }
      )
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async steps => {
        await scene.empty()
        for (const action of steps) {
          switch (action.type) {
            case 'send':
              for (const size of action.sizes) {
                const body = 'x'.repeat(size)
                scene.queue.enqueue(action.durable ? message(body) : fleeting(body), Infinity)
              }
              break
            case 'attach':
              scene.attach(action.window)
              break
            case 'settle':
              for (let i = 0; i < action.count; i++) {
                const delivery = action.last ? scene.held.pop() : scene.held.shift()
                delivery?.settle(ACCEPTED)
              }
              break
            case 'detach':
              scene.detach()
              break
            case 'ask':
              assert.equal(scene.queue.stock.isFull(ROOM, 1), false)
              break
            case 'turn':
              await turn()
              break
            case 'sync':
              await scene.store.durable()
              break
            case 'restart':
              await scene.stop()
              await scene.start()
              break
            case 'crash':
              await scene.crash()
              break
            default:
              action satisfies never
          }
        }
        scene.queue.stock.isFull(ROOM, 1)
        await scene.counted()
        const { stock } = scene.queue.stock
        assert.deepEqual(stock, await scene.empty())
        assert.deepEqual(scene.queue.stock.stock, { messages: 0, bytes: 0 })
      }),
      { numRuns: 80 }
    )
    assert.deepEqual(scene.errors, [])
  })

  it('is known after an orderly stop without a look at the messages, and not after a crash', async () => {
    for (let i = 0; i < 50; i++) scene.queue.enqueue(message('x'), Infinity)
    await scene.stop()
    await scene.start()
    assert.equal(scene.queue.stock.stock?.messages, 50)
    await scene.crash() // nothing was written since the stop
    assert.equal(scene.queue.stock.stock?.messages, 50)
    scene.queue.enqueue(message('x'), Infinity)
    await scene.store.durable()
    await scene.crash()
    assert.equal(scene.queue.stock.stock?.messages, undefined)
    assert.equal(scene.queue.stock.isFull({ maxMessages: 1, maxBytes: 1e9 }, 1), false)
    await scene.counted()
    assert.equal(scene.queue.stock.stock?.messages, 51)
    assert.equal(scene.queue.stock.isFull({ maxMessages: 51, maxBytes: 1e9 }, 1), true)
  })

  it('is not what a former stop wrote where messages went since then without a trace but their own', async () => {
    scene.queue.enqueue(message('x'), Infinity)
    await scene.stop()
    await scene.start()
    scene.queue.attach({ window: 2, onDelivery: delivery => delivery.settle(ACCEPTED), onEnded() {} })
    while (scene.queue.stock.stock?.messages !== 0) await turn()
    await scene.store.durable()
    await scene.crash()
    scene.queue.stock.isFull(ROOM, 1)
    await scene.counted()
    assert.deepEqual(scene.queue.stock.stock, { messages: 0, bytes: 0 })
  })

  it('is counted right while messages go that are not counted yet, and such that are', async () => {
    for (let i = 0; i < 5000; i++) scene.queue.enqueue(message('x'.repeat(1000)), Infinity)
    await scene.store.durable()
    await scene.crash()
    scene.attach(10_000)
    while (scene.held.length < 5000) await turn()
    assert.equal(scene.queue.stock.isFull(ROOM, 1), false)
    let settled = 0
    while (scene.queue.stock.stock === undefined) {
      for (const delivery of [scene.held.pop(), scene.held.shift()]) delivery?.settle(ACCEPTED)
      settled += 2
      await turn()
    }
    assert.ok(settled > 2, 'messages went meanwhile')
    assert.equal(scene.queue.stock.stock.messages, 5000 - settled)
    assert.deepEqual(scene.queue.stock.stock, await scene.empty())
  })

  it('counts what came since the start before it is known', async () => {
    for (let i = 0; i < 50; i++) scene.queue.enqueue(message('x'), Infinity)
    await scene.store.durable()
    await scene.crash()
    const limits = { maxMessages: 10, maxBytes: 1e9 }
    for (let i = 0; i < 10; i++) {
      assert.equal(scene.queue.stock.isFull(limits, 1), false)
      scene.queue.enqueue(message('x'), Infinity)
    }
    assert.equal(scene.queue.stock.isFull(limits, 1), true)
  })

  it('is counted in a queue that is deleted meanwhile, to no end', async () => {
    for (let i = 0; i < 500; i++) scene.queue.enqueue(message('x'), Infinity)
    await scene.store.durable()
    await scene.crash()
    const { queue } = scene
    queue.stock.isFull(ROOM, 1)
    await scene.queues.delete(NAME)
    await scene.counted()
    assert.equal(queue.stock.stock, undefined)
    assert.deepEqual(scene.errors, [])
    assert.deepEqual(scene.queue.stock.stock, { messages: 0, bytes: 0 })
  })

  it('is not counted to the end where the space is closed meanwhile, and nobody is told', async () => {
    for (let i = 0; i < 5000; i++) scene.queue.enqueue(message('x'), Infinity)
    await scene.store.durable()
    await scene.crash()
    scene.queue.stock.isFull(ROOM, 1)
    await scene.stop()
    assert.deepEqual(scene.errors, [])
    await scene.start()
    assert.equal((await scene.empty()).messages, 5000)
  })
})
