import assert from 'node:assert/strict'
import { encodeMessage, EncodedMessage } from '../../../adapters/rhea/message.js'
import type { Outcome } from '../../../plugin/host.js'
import { FakeCore } from '../../fixtures/fake-core.js'
import {
  ACCEPTED,
  amqpError,
  attachReceiver,
  detach,
  disposition,
  RELEASED,
  source,
  symbol,
  type RawField
} from '../../fixtures/amqp-frames.js'
import { attachedReceiver, message, processed, subjectOf } from '../../fixtures/amqp-links.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'

describe('AMQP clients that receive', () => {
  let core: FakeCore
  let port: number
  let client: RawAmqp

  beforeEach(async () => {
    core = new FakeCore()
    port = await core.listen()
    client = await core.client(port)
  })

  afterEach(() => core.close())

  const attached = (credit: number, options: Parameters<typeof attachedReceiver>[3] = {}) =>
    attachedReceiver(core, client, credit, options)
  const settled = () => processed(client)

  it('have their attach answered with what the link has', async () => {
    client.write(attachReceiver('from/a', { name: 'mine', handle: 3, sndSettleMode: 0, rcvSettleMode: 1 }))
    const [name, handle, role, snd, rcv, from, , , , initial] = (await client.next('attach')).fields
    assert.deepEqual([name, handle, role, snd, rcv, initial], ['mine', 0, false, 0, 1, 0])
    assert.equal((from as unknown[])[0], 'from/a')
    const { options } = await core.receiver()
    const { window, browse, kind } = options
    assert.deepEqual(
      { window, browse, kind, name: options.name },
      { window: 0, browse: false, kind: undefined, name: 'mine' }
    )
  })

  it('browse with distribution mode copy, and lose filters that nobody evaluates', async () => {
    const filter = new Map([[symbol('selector'), "a = 'b'"]])
    const fields = ['q', null, null, null, null, null, symbol('copy'), filter, null, null, [symbol('queue')]]
    client.write(attachReceiver('q', { source: source(fields) }))
    const from = (await client.next('attach')).fields[5] as unknown[]
    assert.deepEqual([from[6], from[7] ?? null], ['copy', null])
    assert.equal((await core.receiver()).options.browse, true)
  })

  it('get an address for a dynamic source', async () => {
    client.write(attachReceiver(null, { source: source([null, null, null, null, true]) }))
    const from = (await client.next('attach')).fields[5] as unknown[]
    assert.deepEqual([from[0], from[4]], ['made/up', true])
    assert.equal((await core.receiver()).options.address, undefined)
  })

  it('get an attach without source, then a detach with the error, when refused [AMQP-2.6.3]', async () => {
    client.write(attachReceiver('refused/a'))
    assert.equal((await client.next('attach')).fields[5] ?? null, null)
    assert.deepEqual((await client.next('detach')).fields[2], ['amqp:not-found', 'there is no refused/a'])
  })

  it('need a source', async () => {
    client.write(attachReceiver('x', { source: null }), attachReceiver(null, { handle: 1 }))
    for (let i = 0; i < 2; i++) {
      assert.equal(((await client.next('detach')).fields[2] as unknown[])[0], 'amqp:invalid-field')
    }
  })

  it('get messages, settle them, and the core hears how', async () => {
    const cases: readonly [RawField, Outcome][] = [
      [ACCEPTED, { type: 'accepted' }],
      [RELEASED, { type: 'released' }],
      [
        { descriptor: 0x27, fields: [true, true] },
        { type: 'modified', deliveryFailed: true, undeliverableHere: true }
      ],
      [
        { descriptor: 0x27, fields: [] },
        { type: 'modified', deliveryFailed: false, undeliverableHere: false }
      ],
      [
        { descriptor: 0x25, fields: [amqpError('amqp:not-allowed', 'no')] },
        { type: 'rejected', condition: 'amqp:not-allowed', description: 'no' }
      ],
      [
        { descriptor: 0x25, fields: [] },
        { type: 'rejected', condition: 'amqp:internal-error', description: '' }
      ],
      [null, { type: 'modified', deliveryFailed: true, undeliverableHere: false }]
    ]
    const receiver = await attached(10)
    for (const [id, [state, outcome]] of cases.entries()) {
      const delivered = receiver.deliver(message(`m${id}`))
      const { fields, payload } = await client.next('transfer')
      assert.deepEqual([fields[1], fields[3], fields[4], fields[5]], [id, 0, false, false])
      assert.equal(subjectOf(payload), `m${id}`)
      client.write(disposition(id, state))
      await core.until(() => receiver.settled.get(delivered), 'the outcome')
      assert.deepEqual(receiver.settled.get(delivered), outcome)
    }
  })

  it('can settle without a state where they named the outcome when they attached', async () => {
    const fields: RawField[] = ['from/a', null, null, null, null, null, null, null, RELEASED]
    const receiver = await attached(1, { source: { descriptor: 0x28, fields } })
    const delivered = receiver.deliver(message('m'))
    await client.next('transfer')
    client.write(disposition(0, null))
    await core.until(() => receiver.settled.size === 1, 'the outcome')
    assert.deepEqual(receiver.settled.get(delivered), { type: 'released' })
  })

  it('say what they did and wait for it to be settled, where they asked to be second [AMQP-2.6.12]', async () => {
    const receiver = await attached(10, { rcvSettleMode: 1 })
    for (let i = 0; i < 4; i++) receiver.deliver(message('m'))
    for (let i = 0; i < 4; i++) await client.next('transfer')
    client.write(
      disposition(0, ACCEPTED, { settled: false, last: 1 }),
      disposition(3, ACCEPTED, { settled: false })
    )
    assert.deepEqual((await client.next('disposition')).fields.slice(0, 4), [false, 0, 1, true])
    assert.deepEqual((await client.next('disposition')).fields.slice(0, 4), [false, 3, 3, true])
    assert.equal(receiver.settled.size, 3)
  })

  it('do not settle a delivery by saying how much of it they have', async () => {
    const receiver = await attached(1)
    receiver.deliver(message('m'))
    await client.next('transfer')
    client.write(disposition(0, { descriptor: 0x23, fields: [] }, { settled: false }))
    await settled()
    assert.equal(receiver.settled.size, 0)
  })

  it('get messages settled where they asked for that', async () => {
    const receiver = await attached(1, { sndSettleMode: 1 })
    const delivered = receiver.deliver(message('m'))
    assert.equal((await client.next('transfer')).fields[4], true)
    assert.deepEqual(receiver.settled.get(delivered), { type: 'accepted' })
  })

  it('settle a range, however wide they say it is, and none twice', async () => {
    const receiver = await attached(10)
    for (let i = 0; i < 3; i++) receiver.deliver(message('m'))
    for (let i = 0; i < 3; i++) await client.next('transfer')
    client.write(
      disposition(1, RELEASED, { last: 0xffffffff }),
      disposition(0x80000000, ACCEPTED, { last: 0x7fffffff })
    )
    await core.until(() => receiver.settled.size === 3, 'the outcomes')
    assert.deepEqual(
      [...receiver.settled.values()].map(({ type }) => type),
      ['released', 'released', 'accepted']
    )
  })

  it('get the header that this delivery has, and every other byte as it came', async () => {
    const receiver = await attached(3)
    const given = encodeMessage(message('m', { durable: true, ttlMs: 500, annotations: new Map([['a', 1]]) }))
    receiver.deliver(given)
    assert.ok((await client.next('transfer')).payload.equals(given.bytes))
    receiver.deliver(given, 2)
    const again = new EncodedMessage((await client.next('transfer')).payload)
    assert.deepEqual([again.deliveryCount, again.ttlMs, again.durable], [2, 500, true])
  })

  it("end the core's receiver as they end the link", async () => {
    const receiver = await attached(1)
    const delivered = receiver.deliver(message('m'))
    await client.next('transfer')
    client.write(
      detach(0, { error: amqpError('amqp:link:detach-forced', 'killed') }),
      disposition(0, ACCEPTED)
    )
    await client.next('detach')
    assert.deepEqual(receiver.closedWith, { condition: 'amqp:link:detach-forced', description: 'killed' })
    await settled()
    assert.equal(receiver.settled.get(delivered), undefined)
  })

  it('are detached when the core ends their receiver, after what was sent', async () => {
    const receiver = await attached(1, { sndSettleMode: 1 })
    receiver.deliver(message('last'))
    receiver.options.onClosed?.({
      cause: 'error',
      error: { condition: 'amqp:resource-deleted', description: 'gone' }
    })
    await client.next('transfer')
    assert.deepEqual((await client.next('detach')).fields[2], ['amqp:resource-deleted', 'gone'])
  })
})
