// A durable queue against a model: whatever receivers, restarts and crashes do, nothing is lost, repeated or reordered.

import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import type { EmbeddedConnection } from '../../../adapters/embedded/index.js'
import type { Outcome } from '../../../plugin/host.js'
import {
  ACCEPTED,
  Bench,
  empty,
  fillWork,
  FAILED,
  numbers,
  receive,
  RELEASED,
  SMALL_QUEUES,
  textOf,
  turn,
  type Received
} from './broker-fixture.js'

describe('a durable queue of the embedded host, against a model', () => {
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

  it('loses, repeats and reorders nothing, whatever receivers do', async () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant('send' as const), count: fc.nat(12), durable: fc.boolean() }),
      fc.record({ type: fc.constant('attach' as const), window: fc.integer({ min: 1, max: 12 }) }),
      fc.record({
        type: fc.constant('settle' as const),
        outcomes: fc.array(fc.constantFrom(ACCEPTED, ACCEPTED, RELEASED, FAILED), { maxLength: 10 })
      }),
      fc.constantFrom(
        { type: 'detach' as const },
        { type: 'lose' as const },
        { type: 'restart' as const },
        { type: 'crash' as const }
      )
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
        await restart() // what the run before consumed is gone for good
        let sent = 0
        /** must be there; must not; a crash makes some that may */
        const durable = new Set<string>()
        const fleeing = new Set<string>()
        let taken = new Set<string>()
        let receivers: { received: Received; settled: number }[] = []
        const settle = (outcome: Outcome): void => {
          const [first] = receivers
          const delivery = first?.received.deliveries[first.settled]
          if (first === undefined || delivery === undefined) return
          first.settled++
          delivery.settle(outcome)
          if (outcome !== ACCEPTED) return
          const text = textOf(delivery.message)
          for (const set of [durable, fleeing]) set.delete(text)
          taken.add(text)
        }
        for (const action of steps) {
          switch (action.type) {
            case 'send': {
              const texts = numbers(sent, sent + action.count)
              await fillWork(connection, texts, () => action.durable)
              for (const text of texts) (action.durable ? durable : fleeing).add(text)
              sent += action.count
              break
            }
            case 'attach':
              receivers.push({ received: await receive(connection, 'work', action), settled: 0 })
              await turn()
              break
            case 'settle':
              action.outcomes.forEach(settle)
              await turn()
              break
            case 'detach':
              await receivers.shift()?.received.receiver.close()
              break
            case 'lose':
              connection.lose()
              connection = await bench.space.connect('service')
              receivers = []
              break
            case 'restart':
              await restart()
              receivers = []
              break
            case 'crash':
              connection = await (await bench.crash()).connect('service')
              receivers = []
              fleeing.clear()
              taken = new Set()
              break
            default:
              action satisfies never
          }
        }
        for (const { received } of receivers) await received.receiver.close()
        const rest = (await empty(connection, 'work')).texts()
        const ascending = [...new Set(rest)].sort((a, b) => Number(a) - Number(b))
        assert.deepEqual(rest, ascending, 'in order, each once')
        const there = new Set(rest)
        assert.deepEqual(
          [...durable, ...fleeing].filter(text => !there.has(text)),
          [],
          'lost'
        )
        assert.deepEqual(
          [...taken].filter(text => there.has(text)),
          [],
          'came again'
        )
      }),
      { numRuns: 60 }
    )
  })
})
