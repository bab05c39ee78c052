// Sessions whose numbers pass 2^32: what comes to one that is never replaced.
// Rule: both ends start near the wrap, and enough goes over it that every window has to be opened anew behind it.

import assert from 'node:assert/strict'
import type { Outcome } from '../../../plugin/host.js'
import {
  ACCEPTED,
  attachReceiver,
  attachSender,
  begin,
  disposition,
  flow
} from '../../fixtures/amqp-frames.js'
import { message, Scene, sendInPieces, textOf } from './fixture.js'

/** within the first batch, and between what one side has counted and the other */
const FIRST_ID = 2 ** 32 - 499
const BATCH = 500
/** its bytes take several frames */
const LONG = 'x'.repeat(150_000)

/** Of the message with this number. */
const outcomeOf = (i: number): Outcome => ({ type: i % 3 === 0 ? 'released' : 'accepted' })
const text = (i: number): string => (i % 100 === 7 ? `${i} ${LONG}` : String(i))
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
const numberOf = (from: unknown): number => Number.parseInt(String(from), 10)

describe('adapters/rhea: numbers of a session that wrap', () => {
  let scene: Scene
  beforeEach(() => (scene = new Scene()))
  afterEach(() => scene.end())

  const connect = async () => (await scene.pool({ firstId: FIRST_ID }, { firstId: FIRST_ID })).connect({})

  it('lose nothing that we send, and no outcome of it', async () => {
    const count = 6000 // the host's window is 2048
    scene.core.senderCredit = count
    const { onCredit } = scene
    const sender = await (await connect()).openSender({ address: 'a', onCredit })
    const core = await scene.core.sender()
    const outcomes: Promise<Outcome>[] = []
    const settle = (i: number): void => core.sent[i]?.settle(outcomeOf(i))
    for (let end = BATCH; end <= count; end += BATCH) {
      while (outcomes.length < end) {
        await scene.until(() => sender.credit > 0, `credit for ${outcomes.length}`)
        const next = message(text(outcomes.length))
        outcomes.push(new Promise(resolve => sender.send(next, resolve)))
      }
      await scene.core.until(() => core.sent.length === end, `${end} messages`)
      for (let i = end - BATCH; i < end; i++) if (i !== 5) settle(i)
    }
    settle(5) // it was sent before the wrap
    assert.deepEqual(await Promise.all(outcomes), numbers(count).map(outcomeOf))
    assert.deepEqual(
      core.sent.map(sent => numberOf(textOf(sent.message))),
      numbers(count)
    )
  }).timeout(20_000)

  it('lose nothing that we receive, and no outcome of it', async () => {
    const count = 12_000 // our window is 8192
    const { deliveries, onDelivery } = scene
    await (await connect()).openReceiver({ address: 'a', window: 200, onDelivery })
    const core = await scene.core.receiver()
    const settle = (i: number): void => deliveries[i]?.settle(outcomeOf(i))
    for (let end = 0; end < count;) {
      const start = end
      await scene.core.until(() => core.credit > 0, `credit for ${start}`)
      while (core.credit > 0 && end < count) core.deliver(message(text(end++)))
      await scene.until(() => deliveries.length === end, `deliveries up to ${end}`)
      for (let i = start; i < end; i++) if (i !== 5) settle(i)
    }
    settle(5) // it came before the wrap
    await scene.core.until(() => core.settled.size === count, 'the outcomes')
    assert.deepEqual(
      deliveries.map(delivery => numberOf(textOf(delivery.message))),
      numbers(count)
    )
    for (const i of numbers(count)) assert.deepEqual(core.settled.get(String(i)), outcomeOf(i))
  }).timeout(20_000)

  it('do not stop a message of more frames than the window of whoever receives it', async () => {
    const first = 2 ** 32 - 10
    const client = await scene.core.client(await scene.core.listen(), { channels: [] })
    client.write(begin(0, 5000, first), attachSender('a'))
    const sender = await scene.core.sender()
    await client.next('attach')
    await sendInPieces(client, first, 2048)
    await scene.core.until(() => sender.sent.length === 1, 'the message')
  })

  it('are those of a range that a client of ours settles across the wrap', async () => {
    const first = 2 ** 32 - 2
    const client = await scene.core.client(await scene.core.listen({ firstId: first }))
    client.write(attachReceiver('a'))
    const attach = await client.next('attach')
    assert.equal(attach.fields[9], first)
    client.write(flow(4, { nextIncomingId: first, deliveryCount: first }))
    const core = await scene.core.receiver()
    await scene.core.until(() => core.credit === 4, 'the credit')
    for (const i of numbers(4)) core.deliver(message(String(i)))
    const ids: unknown[] = []
    for (const _ of numbers(4)) ids.push((await client.next('transfer')).fields[1])
    assert.deepEqual(ids, [first, first + 1, 0, 1])
    client.write(flow(4, { nextIncomingId: first + 1, deliveryCount: first + 1 })) // three were on their way
    await scene.core.until(() => core.credit === 1, 'credit for one more')
    client.write(disposition(first, ACCEPTED, { last: 1 }))
    await scene.core.until(() => core.settled.size === 4, 'the outcomes')
    client.write(flow(2, { nextIncomingId: 2, deliveryCount: 2 }))
    await scene.core.until(() => core.credit === 2, 'new credit')
  })
})
