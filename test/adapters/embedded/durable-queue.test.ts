import assert from 'node:assert/strict'
import type { EmbeddedConnection } from '../../../adapters/embedded/index.js'
import type { Outcome } from '../../../plugin/host.js'
import {
  ACCEPTED,
  Bench,
  empty,
  fillWork,
  fleeting,
  message,
  numbers,
  receive,
  send,
  SMALL_QUEUES,
  turn
} from './broker-fixture.js'

describe('a durable queue of the embedded host', () => {
  let bench: Bench
  let connection: EmbeddedConnection

  beforeEach(async () => {
    bench = await Bench.open({ limits: SMALL_QUEUES })
    connection = await bench.space.connect('service')
  })

  afterEach(() => bench.close())

  async function restart(): Promise<void> {
    await bench.restart()
    connection = await bench.space.connect('service')
  }

  it('delivers a durable message only after it is on disk', async () => {
    const { deliveries } = await receive(connection, 'work')
    const before = bench.space.statistics.syncs
    const sender = await connection.openSender({ address: 'work' })
    const outcome = new Promise<Outcome>(resolve => sender.send(message('1'), resolve))
    assert.equal(deliveries.length, 0)
    await outcome
    await turn()
    assert.equal(deliveries.length, 1)
    assert.equal(bench.space.statistics.syncs, before + 1)
  })

  it('takes and delivers a non-durable message at once, with no disk', async () => {
    const { texts } = await receive(connection, 'work')
    await turn()
    const before = bench.space.statistics.syncs
    const sender = await connection.openSender({ address: 'work' })
    let outcome: Outcome | undefined
    sender.send(fleeting('1'), given => (outcome = given))
    assert.deepEqual([texts(), outcome], [['1'], ACCEPTED])
    assert.equal(bench.space.statistics.syncs, before)
  })

  it('keeps durable and non-durable messages in order', async () => {
    const { texts } = await receive(connection, 'work')
    await fillWork(connection, numbers(0, 30), i => i % 3 === 0)
    await turn()
    assert.deepEqual(texts(), numbers(0, 30))
  })

  it('keeps the order of a queue that is far longer than its memory', async () => {
    await fillWork(connection, numbers(0, 200), i => i % 4 !== 0)
    assert.deepEqual((await empty(connection, 'work')).texts(), numbers(0, 200))
  })

  it('has a long queue after a restart, in order, with the same ids', async () => {
    await fillWork(connection, numbers(0, 60))
    const before = await receive(connection, 'work', { window: 60 })
    while (before.deliveries.length < 60) await turn()
    await restart()
    const after = await empty(connection, 'work')
    assert.deepEqual(after.texts(), numbers(0, 60))
    assert.deepEqual(
      after.deliveries.map(({ id }) => id),
      before.deliveries.map(({ id }) => id)
    )
  })

  it('counts nothing as failed when it was stopped in order', async () => {
    await fillWork(connection, numbers(0, 5))
    const { deliveries } = await receive(connection, 'work')
    while (deliveries.length < 5) await turn()
    await restart()
    const again = await empty(connection, 'work')
    assert.deepEqual(
      again.deliveries.map(({ deliveryCount }) => deliveryCount),
      [0, 0, 0, 0, 0]
    )
  })

  it('remembers failed deliveries over restarts', async () => {
    await fillWork(connection, numbers(0, 20))
    for (const expected of [0, 1, 2]) {
      const { deliveries } = await receive(connection, 'work', { window: 20 })
      while (deliveries.length < 20) await turn()
      assert.deepEqual(new Set(deliveries.map(({ deliveryCount }) => deliveryCount)), new Set([expected]))
      connection.lose()
      await restart()
    }
  })

  it('never gives an id twice, whatever was consumed before a restart', async () => {
    const ids = new Set<string | undefined>()
    for (let round = 0; round < 4; round++) {
      await fillWork(connection, numbers(0, 5))
      const { deliveries } = await empty(connection, 'work')
      for (const { id } of deliveries) ids.add(id)
      await restart()
    }
    assert.equal(ids.size, 20)
  })

  it('gives a new queue of an old name ids of its own', async () => {
    const name = '$mqtt.to.c1.publish'
    const ids = new Set<string | undefined>()
    for (let round = 0; round < 2; round++) {
      await bench.space.queues.create(name)
      await send(connection, name, message('1'))
      const { deliveries } = await receive(connection, name)
      while (deliveries.length < 1) await turn()
      ids.add(deliveries[0]?.id)
      await bench.space.queues.delete(name)
    }
    assert.equal(ids.size, 2)
  })

  it('brings nothing of a deleted queue back', async () => {
    const name = '$mqtt.to.c1.publish'
    await bench.space.queues.create(name)
    for (const text of numbers(0, 20)) await send(connection, name, message(text))
    await bench.space.queues.delete(name)
    await bench.space.queues.create(name)
    assert.deepEqual((await empty(connection, name)).texts(), [])
    await restart()
    assert.deepEqual((await empty(connection, name)).texts(), [])
    assert.deepEqual(await bench.space.queues.list('$'), [name])
  })

  it('delivers what is published while it reads from the store, in order', async () => {
    const { deliveries, texts } = await receive(connection, 'work', { window: 5 })
    const filling: Promise<void>[] = []
    let settled = 0
    // so that the queue outgrows its memory and is overtaken by its receiver again and again
    for (let at = 0; at < 2000 || settled < 2000;) {
      const burst = 5 * (1 + (filling.length % 7))
      if (at < 2000 && settled > at - 40) {
        filling.push(fillWork(connection, numbers(at, Math.min(at + burst, 2000))))
        at += burst
      }
      await turn()
      while (settled < deliveries.length) deliveries[settled++]?.settle(ACCEPTED)
    }
    await Promise.all(filling)
    assert.deepEqual(texts(), numbers(0, 2000))
  })

  it('has the rest after a crash, wherever its consumption stopped', async () => {
    const name = '$mqtt.to.c1.publish'
    for (let stop = 1; stop < 30; stop += 3) {
      await bench.space.queues.create(name)
      for (const text of numbers(0, 30)) await send(connection, name, message(text))
      let taken = 0
      await connection.openReceiver({
        address: name,
        window: 3,
        onDelivery: delivery => {
          if (taken < stop) delivery.settle(ACCEPTED)
          if (taken <= stop) taken++
        }
      })
      while (taken <= stop) await turn()
      await send(connection, 'work', message('the removals are written with this'))
      connection = await (await bench.crash()).connect('service')
      assert.deepEqual((await empty(connection, name)).texts(), numbers(stop, 30))
      await bench.space.queues.delete(name)
    }
  })

  it('shows a browser all messages, in memory or not, and takes none', async () => {
    await fillWork(connection, numbers(0, 100))
    const first = await receive(connection, 'work', { window: 3 })
    while (first.deliveries.length < 3) await turn()
    const seen = await receive(connection, 'work', { window: 1000, browse: true })
    await seen.receiver.drain()
    assert.deepEqual(seen.texts(), numbers(0, 100))
    await first.receiver.close()
    assert.deepEqual((await empty(connection, 'work')).texts(), numbers(0, 100))
  })

  it('moves a rejected message to DLQ, durably, and a rejected one of DLQ nowhere', async () => {
    await fillWork(connection, ['good', 'bad', 'worse'])
    const { deliveries } = await receive(connection, 'work')
    while (deliveries.length < 3) await turn()
    const no: Outcome = { type: 'rejected', condition: 'amqp:not-allowed', description: 'no' }
    deliveries[1]?.settle(no)
    deliveries[2]?.settle(no)
    deliveries[0]?.settle(ACCEPTED)
    await restart()
    assert.deepEqual((await empty(connection, 'work')).texts(), [])
    const dead = await receive(connection, 'DLQ')
    while (dead.deliveries.length < 2) await turn()
    assert.deepEqual(dead.texts(), ['bad', 'worse'])
    dead.deliveries[0]?.settle(no)
    await dead.receiver.close()
    assert.deepEqual((await empty(connection, 'DLQ')).texts(), ['worse'])
  })

  it('never delivers an expired message, from memory or from the store', async () => {
    const ttl = (text: string, ttlMs: number) => send(connection, 'work', message(text, { ttlMs }))
    for (let i = 0; i < 20; i++) await ttl(`short ${i}`, 1000)
    await send(connection, 'work', message('fixed', { properties: { absoluteExpiryTime: bench.now + 1500 } }))
    await ttl('long', 9000)
    bench.now += 2000
    const { texts, deliveries } = await receive(connection, 'work')
    while (deliveries.length < 1) await turn()
    await turn()
    assert.deepEqual(texts(), ['long'])
    assert.equal(deliveries[0]?.remainingMs(bench.now), 7000)
    await restart()
    bench.now += 7000
    assert.deepEqual((await empty(connection, 'work')).texts(), [])
  })

  it('keeps a queue that the configuration has no more, unreached, until it has it again', async () => {
    await fillWork(connection, ['1'])
    await bench.stop()
    connection = await (await bench.start({ addresses: [] })).connect('service')
    await assert.rejects(
      connection.openReceiver({ address: 'work', kind: 'queue', window: 1, onDelivery() {} }),
      {
        condition: 'amqp:not-found'
      }
    )
    await bench.stop()
    connection = await (
      await bench.start({ addresses: [{ name: 'work', type: 'queue' }] })
    ).connect('service')
    assert.deepEqual((await empty(connection, 'work')).texts(), ['1'])
  })

  it('limits what a receiver holds without settling, whatever credit it gives', async () => {
    await bench.stop()
    connection = await (await bench.start({ limits: { ...SMALL_QUEUES, unsettled: 10 } })).connect('service')
    await fillWork(connection, numbers(0, 30))
    const { receiver, deliveries, texts } = await receive(connection, 'work', { window: 0 })
    receiver.addCredit(1_000_000)
    while (deliveries.length < 10) await turn()
    await turn()
    assert.equal(deliveries.length, 10)
    for (const delivery of deliveries.slice(0, 5)) delivery.settle(ACCEPTED)
    while (deliveries.length < 15) await turn()
    assert.deepEqual(texts(), numbers(0, 15))
  })
})
