// Reply nodes whose receiver is slow: who sends much is held at its pace.

import assert from 'node:assert/strict'
import type { EmbeddedConnection } from '../../../adapters/embedded/index.js'
import type { Outcome } from '../../../plugin/host.js'
import { ACCEPTED, Bench, fleeting, RELEASED, textOf, turn } from './broker-fixture.js'

describe('a reply node', () => {
  let bench: Bench
  let connection: EmbeddedConnection

  beforeEach(async () => {
    bench = await Bench.open({ limits: { senderCredit: 1000 } })
    connection = await bench.space.connect('service')
  })

  afterEach(() => bench.close())

  async function start(count: number): Promise<{
    readonly outcomes: Outcome[]
    readonly got: string[]
    readonly receiver: Awaited<ReturnType<EmbeddedConnection['openReceiver']>>
  }> {
    const got: string[] = []
    const receiver = await connection.openReceiver({
      address: undefined,
      window: 0,
      onDelivery: delivery => {
        got.push(textOf(delivery.message))
        delivery.settle(ACCEPTED)
      }
    })
    const outcomes: Outcome[] = []
    const sender = await connection.openSender({ address: receiver.address })
    for (let index = 0; index < count; index++)
      sender.send(fleeting(String(index)), outcome => outcomes.push(outcome))
    await turn()
    return { outcomes, got, receiver }
  }

  it('accepts what little waits, and more only as it is delivered, in order', async () => {
    const { outcomes, got, receiver } = await start(150)
    assert.equal(outcomes.length, 100)
    receiver.addCredit(30)
    await turn()
    assert.deepEqual([got.length, outcomes.length], [30, 100])
    receiver.addCredit(90)
    await turn()
    assert.deepEqual([got.length, outcomes.length], [120, 120])
    receiver.addCredit(100)
    await turn()
    assert.deepEqual(
      got,
      Array.from({ length: 150 }, (_, index) => String(index))
    )
    assert.deepEqual(outcomes, Array(150).fill(ACCEPTED))
  })

  it('releases what was neither delivered nor accepted when its receiver goes', async () => {
    const { outcomes, receiver } = await start(103)
    await receiver.close()
    assert.deepEqual(outcomes.slice(100), [RELEASED, RELEASED, RELEASED])
  })
})
