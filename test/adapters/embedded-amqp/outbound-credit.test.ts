import assert from 'node:assert/strict'
import { EncodedMessage } from '../../../adapters/rhea/message.js'
import { FakeCore } from '../../fixtures/fake-core.js'
import { ACCEPTED, attachReceiver, detach, disposition, flow } from '../../fixtures/amqp-frames.js'
import { attachedReceiver, message, processed, subjectOf } from '../../fixtures/amqp-links.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'

describe('credit of AMQP clients that receive', () => {
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

  it("have as much of the core's credit as they gave, in steps", async () => {
    const receiver = await attached(100)
    assert.equal(receiver.credit, 64)
    for (let i = 0; i < 100; i++) {
      assert.ok(receiver.credit > 0)
      receiver.deliver(message('m'))
    }
    assert.equal(receiver.credit, 0)
    for (let i = 0; i < 100; i++) await client.next('transfer')
    client.write(flow(5, { deliveryCount: 90, nextIncomingId: 90 })) // has not seen ten of them
    client.write(flow(20, { deliveryCount: 95, nextIncomingId: 95 }))
    await core.until(() => receiver.credit === 15, 'the credit that is left')
  })

  it('get nothing on credit that they took back', async () => {
    const receiver = await attached(50)
    client.write(flow(2))
    await core.until(() => receiver.credit === 2, 'less credit')
    client.write(flow(0))
    await core.until(() => receiver.credit === 0, 'no credit')
    const late = receiver.deliver(message('late')) // it was on its way
    assert.deepEqual(receiver.settled.get(late), { type: 'released' })
    await settled()
    assert.ok(!client.frames.some(({ name }) => name === 'transfer'))
  })

  it('have a drain answered when all there was has come [AMQP-2.6.7]', async () => {
    const receiver = await attached(0)
    receiver.stock.push(...Array.from({ length: 150 }, (_, i) => message(`m${i}`)))
    client.write(flow(200, { drain: true }))
    for (let i = 0; i < 150; i++) assert.equal(subjectOf((await client.next('transfer')).payload), `m${i}`)
    const { fields } = await client.next('flow')
    assert.deepEqual([fields[5], fields[6], fields[8]], [200, 0, true])
    client.write(flow(3, { deliveryCount: 200, nextIncomingId: 150 }))
    await core.until(() => receiver.credit === 3, 'new credit')
    receiver.deliver(message('new'))
    assert.equal(subjectOf((await client.next('transfer')).payload), 'new')
  })

  it('have a drain answered that leaves nothing, found nothing, or had no credit', async () => {
    const receiver = await attached(0)
    receiver.stock.push(message('only'))
    client.write(flow(1, { drain: true }))
    await client.next('transfer')
    assert.deepEqual((await client.next('flow')).fields.slice(5, 9), [1, 0, null, true])
    client.write(flow(7, { drain: true, deliveryCount: 1, nextIncomingId: 1 }))
    assert.deepEqual((await client.next('flow')).fields.slice(5, 9), [8, 0, null, true])
    client.write(flow(0, { drain: true, deliveryCount: 8, nextIncomingId: 1 }))
    assert.deepEqual((await client.next('flow')).fields.slice(5, 9), [8, 0, null, true])
    client.write(flow(0xffffffff, { drain: true, deliveryCount: 8, nextIncomingId: 1 }))
    assert.deepEqual((await client.next('flow')).fields.slice(5, 9), [7, 0, null, true])
    client.write(flow(2, { deliveryCount: 7, nextIncomingId: 1 }))
    await core.until(() => receiver.credit === 2, 'credit behind the wrap')
  })

  it('are told the state of link and session when they ask for it', async () => {
    await attached(4)
    client.write(flow(4, { echo: true }))
    assert.deepEqual((await client.next('flow')).fields.slice(4, 7), [0, 0, 4])
    client.write(flow(0, { handle: null, echo: true }))
    assert.equal((await client.next('flow')).fields[4] ?? null, null)
  })

  it('get long messages in frames that they can take, as far as their window goes', async () => {
    const small = await core.client(port, { fields: [null, { type: 'uint', value: 512 }] })
    small.write(attachReceiver('from/a'), flow(5, { window: 3 }))
    const receiver = await core.until(() => core.connections[1]?.receivers[0], 'the receiver')
    await core.until(() => receiver.credit > 0, 'credit')
    const body = { type: 'data', sections: [Buffer.alloc(3000, 7)] } as const
    receiver.deliver(message('long', { body }))
    receiver.deliver(message('short'))
    const parts = []
    for (let i = 0; i < 3; i++) parts.push(await small.next('transfer'))
    small.write(flow(5, { window: 100, nextIncomingId: 3 }))
    while (parts.at(-1)?.fields[5] === true) parts.push(await small.next('transfer'))
    const payload = Buffer.concat(parts.map(part => part.payload))
    assert.deepEqual(new EncodedMessage(payload).body, body)
    assert.ok(parts.every(part => part.payload.length <= 512 && part.fields[1] === 0))
    assert.equal(subjectOf((await small.next('transfer')).payload), 'short')
  })

  it('can detach while a message is half way, and go on in the same session', async () => {
    const small = await core.client(port, { fields: [null, { type: 'uint', value: 512 }] })
    small.write(attachReceiver('from/a'), attachReceiver('from/b', { handle: 1 }))
    small.write(flow(5, { window: 2 }), flow(5, { handle: 1, window: 2 }))
    const receivers = await core.until(() => core.connections[1]?.receivers, 'the receivers')
    await core.until(() => receivers.length === 2 && receivers.every(({ credit }) => credit > 0), 'credit')
    receivers[0]?.deliver(message('long', { body: { type: 'data', sections: [Buffer.alloc(5000)] } }))
    receivers[1]?.deliver(message('behind'))
    for (let i = 0; i < 2; i++) await small.next('transfer')
    small.write(detach(0))
    await small.next('detach')
    small.write(flow(5, { handle: 1, window: 10, nextIncomingId: 2 }))
    const { fields, payload } = await small.next('transfer')
    assert.deepEqual([fields[0], fields[1]], [1, 1])
    assert.equal(subjectOf(payload), 'behind')
  })

  it('with a small maximum are spared longer messages', async () => {
    const receiver = await attached(2, { maxMessageSize: 100 })
    const long = receiver.deliver(message('x'.repeat(200)))
    receiver.deliver(message('short'))
    assert.equal(subjectOf((await client.next('transfer')).payload), 'short')
    const outcome = receiver.settled.get(long)
    assert.equal(outcome?.type === 'rejected' && outcome.condition, 'amqp:link:message-size-exceeded')
  })

  it('get what came with the credit that they sent behind their attach, after its answer', async () => {
    client.write(attachReceiver('from/a'), flow(1))
    const receiver = await core.receiver()
    await core.until(() => receiver.credit === 1, 'credit')
    receiver.deliver(message('early'))
    await client.next('attach')
    await client.next('transfer')
  })

  it('do not wait for one another: one unsettled delivery does not stop the session', async () => {
    const receiver = await attached(10_000)
    receiver.deliver(message('stuck'))
    await client.next('transfer')
    for (let id = 1; id <= 3000; id++) {
      receiver.deliver(message('m'))
      if (id % 50 > 0) continue
      for (let i = 0; i < 50; i++) await client.next('transfer')
      client.write(disposition(id - 49, ACCEPTED, { last: id }))
      client.write(flow(10_000 - id, { deliveryCount: id + 1, nextIncomingId: id + 1 }))
      await core.until(() => receiver.settled.size === id && receiver.credit > 0, 'credit')
    }
    assert.equal(receiver.settled.size, 3000)
  })

  it('get no more when they settle nothing, and more when they do', async () => {
    const receiver = await attached(20_000)
    client.write(flow(20_000, { window: 20_000 }))
    let delivered = 0
    while (receiver.credit > 0) delivered += Number(receiver.deliver(message('m')) !== '')
    assert.ok(delivered >= 5000 && delivered < 5064) // the session's first window
    for (let i = 0; i < 5000; i++) await client.next('transfer')
    client.write(
      flow(20_000 - delivered, { window: 20_000, deliveryCount: delivered, nextIncomingId: delivered })
    )
    await core.until(() => receiver.credit > 0, 'credit')
    while (receiver.credit > 0) delivered += Number(receiver.deliver(message('m')) !== '')
    assert.ok(delivered >= 8192 && delivered < 8256)
    for (let i = 5000; i < delivered; i++) await client.next('transfer')
    client.write(disposition(0, ACCEPTED, { last: 199 }))
    await core.until(() => receiver.credit === 64, 'places')
  })

  it('do not wait for links of their session that have credit and get nothing', async () => {
    client.write(...Array.from({ length: 200 }, (_, handle) => attachReceiver(`from/${handle}`, { handle })))
    client.write(...Array.from({ length: 200 }, (_, handle) => flow(1000, { handle, window: 10 })))
    const last = await core.receiver(199)
    await core.until(() => last.credit > 0, 'credit')
    last.deliver(message('m'))
    await client.next('transfer')
  })
})
