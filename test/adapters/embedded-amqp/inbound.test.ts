import assert from 'node:assert/strict'
import { EncodedMessage } from '../../../adapters/rhea/message.js'
import type { Message, Outcome } from '../../../plugin/host.js'
import { FakeCore } from '../../fixtures/fake-core.js'
import { attachSender, detach, disposition, flow, transfer } from '../../fixtures/amqp-frames.js'
import { attachedSender, bytes } from '../../fixtures/amqp-links.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'

const subjects = (sent: readonly { readonly message: Message }[]) =>
  sent.map(each => each.message.properties.subject)

describe('AMQP clients that send', () => {
  let core: FakeCore
  let port: number
  let client: RawAmqp

  beforeEach(async () => {
    core = new FakeCore()
    port = await core.listen()
    client = await core.client(port)
  })

  afterEach(() => core.close())

  const attached = (...link: [Parameters<typeof attachedSender>[2]?, (string | null)?]) =>
    attachedSender(core, client, ...link)

  it('get the outcome that the core gives', async () => {
    const outcomes: readonly [Outcome, unknown][] = [
      [{ type: 'accepted' }, []],
      [{ type: 'released' }, []],
      [{ type: 'modified', deliveryFailed: true, undeliverableHere: false }, [true, false]],
      [
        {
          type: 'rejected',
          condition: 'amqp:not-allowed',
          description: 'no',
          info: new Map([['__proto__', 'x']])
        },
        [['amqp:not-allowed', 'no', new Map([['__proto__', 'x']])]]
      ]
    ]
    const sender = await attached()
    for (const [id, [outcome, state]] of outcomes.entries()) {
      client.write(transfer(bytes(`m${id}`), { id }))
      const sent = await core.until(() => sender.sent[id], 'the message')
      sent.settle(outcome)
      sent.settle({ type: 'accepted' }) // a second outcome is none
      const [role, first, last, settled, answered] = (await client.next('disposition')).fields
      assert.deepEqual([role, first, last, settled, answered], [true, id, id, true, state])
    }
    assert.deepEqual(subjects(sender.sent), ['m0', 'm1', 'm2', 'm3'])
  })

  it('get neighbouring acceptances in one frame', async () => {
    const sender = await attached()
    client.write(...[0, 1, 2].map(id => transfer(bytes('x'), { id })))
    await core.until(() => sender.sent.length === 3, 'the messages')
    for (const { settle } of sender.sent) settle({ type: 'accepted' })
    assert.deepEqual((await client.next('disposition')).fields.slice(0, 4), [true, 0, 2, true])
  })

  it('hand over the bytes they sent', async () => {
    const sender = await attached()
    const sent = bytes('exactly')
    client.write(transfer(sent))
    const received = await core.until(() => sender.sent[0]?.message, 'the message')
    assert.ok(received instanceof EncodedMessage)
    assert.ok(received.bytes.equals(sent))
    assert.ok(received.bytes.buffer.byteLength < 9000) // not the socket's whole chunk
  })

  it('send messages of many frames, and leave out ids on those behind the first', async () => {
    const sender = await attached()
    const whole = bytes('y'.repeat(1000))
    const parts = [whole.subarray(0, 10), whole.subarray(10, 11), whole.subarray(11)]
    client.write(
      ...parts.map((part, i) =>
        transfer(part, i === 0 ? { more: true } : { id: null, format: null, more: i < 2, settled: i === 2 })
      )
    )
    await core.until(() => sender.sent.length === 1, 'the message')
    assert.equal(sender.sent[0]?.message.properties.subject, 'y'.repeat(1000))
    client.write(transfer(Buffer.alloc(0), { id: 1, more: true }), transfer(bytes('z'), { id: 1 }))
    await core.until(() => sender.sent.length === 2, 'the next message')
    sender.sent[0]?.settle({ type: 'accepted' }) // it was settled in its last frame
    sender.sent[1]?.settle({ type: 'accepted' })
    assert.equal((await client.next('disposition')).fields[1], 1)
  })

  it('send a message in more frames than their window has at a time', async () => {
    const sender = await attached()
    const whole = bytes('y'.repeat(2 * 3000))
    let window = 2048
    for (let at = 0; at < whole.length; at += 2) {
      if (window-- === 0) {
        const { fields } = await client.next('flow')
        window = Number(fields[0]) + Number(fields[1]) - at / 2 - 1
      }
      client.write(transfer(whole.subarray(at, at + 2), { more: at + 2 < whole.length }))
    }
    await core.until(() => sender.sent.length === 1, 'the message')
  })

  it('can give up a message half way', async () => {
    const sender = await attached()
    client.write(
      transfer(bytes('x').subarray(0, 5), { more: true }),
      transfer(Buffer.alloc(0), { aborted: true })
    )
    client.write(transfer(bytes('next'), { id: 1 }))
    await core.until(() => sender.sent.length === 1, 'the message')
    assert.deepEqual(subjects(sender.sent), ['next'])
  })

  it('hear nothing of what they sent settled', async () => {
    const sender = await attached()
    client.write(transfer(bytes('quick'), { settled: true }), transfer(bytes('slow'), { id: 1 }))
    await core.until(() => sender.sent.length === 2, 'the messages')
    for (const { settle } of sender.sent)
      settle({ type: 'rejected', condition: 'amqp:not-allowed', description: '' })
    assert.equal((await client.next('disposition')).fields[1], 1)
  })

  it('settle first where they asked to be second [AMQP-2.6.12]', async () => {
    const sender = await attached({ rcvSettleMode: 1 })
    client.write(transfer(bytes('x')))
    ;(await core.until(() => sender.sent[0], 'the message')).settle({ type: 'accepted' })
    assert.deepEqual((await client.next('disposition')).fields.slice(0, 4), [true, 0, 0, false])
    client.write(disposition(0, null, { receiver: false }))
    client.write(...Array.from({ length: 60 }, (_, i) => transfer(bytes('y'), { id: i + 1 })))
    await core.until(() => sender.sent.length === 61, 'more messages')
  })

  it('have as much credit as the core, and more when it has', async () => {
    core.senderCredit = 3
    client.write(attachSender('to/a', { initialDeliveryCount: 0xfffffffe }))
    await client.next('attach')
    const first = await client.next('flow')
    assert.deepEqual(first.fields.slice(5, 7), [0xfffffffe, 3]) // delivery-count, credit
    const sender = await core.sender()
    client.write(...[0, 1, 2].map(id => transfer(bytes(`m${id}`), { id })))
    await core.until(() => sender.sent.length === 3, 'the messages')
    sender.credit = 2
    sender.options.onCredit?.()
    assert.deepEqual((await client.next('flow')).fields.slice(5, 7), [1, 2])
  })

  it('wait where the core has taken back credit that they used', async () => {
    core.senderCredit = 2
    const sender = await attached()
    sender.credit = 0
    client.write(transfer(bytes('a')), transfer(bytes('b'), { id: 1 }))
    client.write(flow(0, { handle: null, echo: true }))
    await client.next('flow')
    assert.equal(sender.sent.length, 0)
    sender.credit = 1
    sender.options.onCredit?.()
    sender.credit = 1
    sender.options.onCredit?.()
    assert.deepEqual(subjects(sender.sent), ['a', 'b'])
  })

  it('lose their link when they send without credit, and hear of it [AMQP-2.6.7]', async () => {
    core.senderCredit = 2
    const sender = await attached()
    client.write(...[0, 1, 2, 3].map(id => transfer(bytes(`m${id}`), { id })))
    assert.equal(
      ((await client.next('detach')).fields[2] as unknown[])[0],
      'amqp:link:transfer-limit-exceeded'
    )
    await core.until(() => sender.closedWith !== undefined, 'the end of the sender')
    assert.equal(sender.closedWith?.condition, 'amqp:link:transfer-limit-exceeded')
    assert.equal(sender.sent.length, 2)
    client.write(detach(0), attachSender('to/b', { handle: 0, name: 'link-0' }))
    await client.next('attach')
    client.write(transfer(bytes('again'), { id: 4 }))
    const second = await core.sender(1)
    await core.until(() => second.sent.length === 1, 'a message on the new link')
  })

  it('do not change their credit by a flow of their own', async () => {
    core.senderCredit = 1
    const sender = await attached()
    client.write(flow(1000, { drain: true }), transfer(bytes('a')), transfer(bytes('b'), { id: 1 }))
    assert.equal(
      ((await client.next('detach')).fields[2] as unknown[])[0],
      'amqp:link:transfer-limit-exceeded'
    )
    assert.equal(sender.sent.length, 1)
  })

  it('have bytes that are no message rejected, and keep their link', async () => {
    const sender = await attached()
    client.write(transfer(Buffer.from('no message')), transfer(bytes('good'), { id: 1 }))
    const [, first, , , state] = (await client.next('disposition')).fields
    assert.equal(first, 0)
    assert.equal((state as unknown[][])[0]?.[0], 'amqp:decode-error')
    await core.until(() => sender.sent.length === 1, 'the message')
    client.write(transfer(bytes('odd'), { id: 2, format: 7 }))
    assert.equal(
      ((await client.next('disposition')).fields[4] as unknown[][])[0]?.[0],
      'amqp:not-implemented'
    )
  })

  it('lose their link for bytes that are no message and were sent settled', async () => {
    await attached()
    client.write(transfer(Buffer.from('no message'), { settled: true }))
    assert.equal(((await client.next('detach')).fields[2] as unknown[])[0], 'amqp:decode-error')
  })
})
