import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DurableQueue } from '../../../adapters/embedded/durable-queue.js'
import { DeliveryTurns } from '../../../adapters/embedded/delivery-turns.js'
import { DurableQueues } from '../../../adapters/embedded/durable-queues.js'
import { EntryLog } from '../../../adapters/embedded/entry-log.js'
import { DEFAULT_LIMITS, type Limits } from '../../../adapters/embedded/limits.js'
import { Store } from '../../../adapters/embedded/store.js'
import { ACCEPTED, message, recordingLog, turn } from './broker-fixture.js'

describe('the memory of a durable queue', () => {
  let directory: string
  let store: Store

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'memory-'))
    store = await Store.open(directory, recordingLog([]))
  })

  afterEach(async () => {
    await store.close()
    await rm(directory, { recursive: true, force: true })
  })

  async function filled(limits: Partial<Limits>, count: number, bytes = 1): Promise<DurableQueue> {
    const entries = new EntryLog(store, recordingLog([]))
    const options = {
      entries,
      limits: { ...DEFAULT_LIMITS, ...limits },
      now: Date.now,
      log: recordingLog([])
    }
    const queues = await DurableQueues.load({ ...options, turns: new DeliveryTurns(), onDeleted() {} })
    const queue = queues.ensure('$mqtt.to.c1.publish')
    for (let i = 0; i < count; i++) {
      queue.enqueue(message('x'.repeat(bytes)), Infinity)
      await store.durable()
    }
    return queue
  }

  it('keeps few messages while nobody receives, and a window of them for receivers', async () => {
    const queue = await filled({ queueMessages: 20, idleQueueMessages: 5 }, 100)
    assert.equal(queue.inMemory, 5)
    let taken = 0
    let most = 0
    const consumer = queue.attach({
      window: 10,
      onDelivery: delivery => {
        taken++
        most = Math.max(most, queue.inMemory)
        setImmediate(() => delivery.settle(ACCEPTED))
      },
      onEnded() {}
    })
    while (taken < 60) await turn()
    consumer.detach(false)
    assert.ok(most > 10 && most <= 20 + 10, `${most} at once: a window and what is on its way`)
    while (queue.inMemory > 10 + 5) await turn() // what came back is kept, and some more
    const another = queue.attach({ window: 0, onDelivery: () => taken++, onEnded() {} })
    taken = 0
    another.addCredit(1000)
    await another.drain()
    assert.ok(taken >= 40 && taken <= 50, String(taken))
  })

  it('counts bytes too', async () => {
    const queue = await filled({ queueBytes: 20_000, idleQueueBytes: 5000 }, 50, 2000)
    assert.ok(queue.inMemory <= 3, String(queue.inMemory))
    let delivered = 0
    queue.attach({ window: 1, onDelivery: () => delivered++, onEnded() {} })
    while (delivered < 1) await turn()
    for (let i = 0; i < 20; i++) await turn()
    assert.ok(queue.inMemory <= 20, String(queue.inMemory))
  })

  it('loads nothing until somebody receives', async () => {
    await filled({}, 10)
    await store.close()
    store = await Store.open(directory, recordingLog([]))
    const queue = await filled({}, 1)
    assert.equal(queue.inMemory, 0)
    let delivered = 0
    queue.attach({ window: 100, onDelivery: () => delivered++, onEnded() {} })
    while (delivered < 11) await turn()
  })
})
