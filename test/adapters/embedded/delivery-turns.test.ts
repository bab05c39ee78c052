// What all queues together deliver in one turn of the event loop, and who goes on then.
import assert from 'node:assert/strict'
import { DeliveryTurns, type Deliverer } from '../../../adapters/embedded/delivery-turns.js'

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** Delivers `count` in all, as many as a turn lets it. */
class Queue implements Deliverer {
  readonly #turns: DeliveryTurns
  delivered = 0
  left: number

  constructor(turns: DeliveryTurns, count: number) {
    this.#turns = turns
    this.left = count
  }

  wake(): void {
    while (this.left > 0) {
      if (!this.#turns.open) return this.#turns.wait(this)
      this.#turns.take()
      this.left--
      this.delivered++
    }
  }
}

describe('turns of the event loop that queues share', () => {
  const made = (...counts: readonly number[]): readonly Queue[] => {
    const turns = new DeliveryTurns()
    return counts.map(count => new Queue(turns, count))
  }
  const deliveredBy = (queues: readonly Queue[]): readonly number[] =>
    queues.map(({ delivered }) => delivered)

  it('deliver a bounded number, whichever queues it comes from', async () => {
    const queues = made(700, 700, 700)
    for (const queue of queues) queue.wake()
    assert.deepEqual(deliveredBy(queues), [700, 300, 0])
    await turn()
    assert.deepEqual(deliveredBy(queues), [700, 700, 600])
    await turn()
    assert.deepEqual(deliveredBy(queues), [700, 700, 700])
  })

  it('let those that stopped go on before those that come later', async () => {
    const [busy, second, third] = made(10_000, 1, 1)
    assert.ok(busy && second && third)
    busy.wake()
    second.wake()
    third.wake()
    busy.wake() // something was settled: its place stays
    await turn()
    assert.deepEqual(deliveredBy([busy, second, third]), [2000, 0, 0])
    await turn()
    assert.deepEqual(deliveredBy([second, third]), [1, 1], 'it had its turn, and is behind them now')
    assert.equal(busy.delivered, 2998)
  })

  it('begin again when nobody waited', async () => {
    const [queue] = made(1000)
    assert.ok(queue)
    queue.wake()
    await turn()
    queue.left = 1000
    queue.wake()
    assert.equal(queue.delivered, 2000)
  })
})
