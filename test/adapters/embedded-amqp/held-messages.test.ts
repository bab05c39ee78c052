import assert from 'node:assert/strict'
import type { AmqpListenerOptions } from '../../../adapters/rhea/listener/listener.js'
import { FakeCore } from '../../fixtures/fake-core.js'
import {
  attachReceiver,
  attachSender,
  detach,
  disposition,
  flow,
  transfer,
  ACCEPTED
} from '../../fixtures/amqp-frames.js'
import { closedWith } from '../../fixtures/amqp-links.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'

const MIB = 1024 * 1024

describe('what messages of an AMQP client may hold', () => {
  let core: FakeCore
  let port: number
  let client: RawAmqp

  const start = async (options: Partial<AmqpListenerOptions> = {}): Promise<void> => {
    port = await core.listen(options)
    client = await core.client(port)
  }

  beforeEach(() => {
    core = new FakeCore()
  })

  afterEach(() => core.close())

  it('ends a link for a message over the announced size, with bounded memory', async () => {
    await start({ maxMessageSize: 100_000 })
    client.write(attachSender('a'))
    await client.next('attach')
    const part = Buffer.alloc(60_000)
    client.write(
      transfer(part, { more: true }),
      transfer(part, { more: true }),
      transfer(part, { more: true })
    )
    assert.equal(((await client.next('detach')).fields[2] as unknown[])[0], 'amqp:link:message-size-exceeded')
    client.write(transfer(part), detach(0), attachSender('a', { name: 'next' }))
    await client.next('attach')
    client.write(transfer(Buffer.from('005375a00161', 'hex'), { id: 1 }))
    const sender = await core.sender(1)
    await core.until(() => sender.sent.length === 1, 'a message')
  })

  it('closes the connection for incomplete messages on many links', async () => {
    await start({ maxMessageSize: 100_000 })
    const part = Buffer.alloc(60_000)
    for (let handle = 0; handle < 4; handle++) {
      client.write(attachSender('a', { handle }))
      await client.next('flow')
      client.write(transfer(part, { handle, id: handle, more: true }))
    }
    await closedWith(core, client, 'amqp:resource-limit-exceeded')
  })

  it('stops reading a client whose messages have no outcome yet, and goes on when they have', async () => {
    await start({ maxMessageSize: MIB })
    client.write(attachSender('a'))
    await client.next('flow')
    const sender = await core.sender()
    const payload = Buffer.concat([Buffer.from('005375b0', 'hex'), Buffer.alloc(4), Buffer.alloc(60_000)])
    payload.writeUInt32BE(60_000, 4)
    for (let id = 0; id < 90; id++) client.write(transfer(payload, { id }))
    await core.until(() => sender.sent.length * 60_000 > 2 * MIB, 'messages')
    let settled = 0
    while (settled < 90) {
      const held = sender.sent.length - settled
      assert.ok(held * 60_000 < 2 * MIB + 200_000, `${held} messages held`)
      sender.sent[settled++]?.settle({ type: 'accepted' })
      await core.until(() => sender.sent.length > settled || settled === 90, 'the next message')
    }
  })

  it('does not take a client that it does not read for a silent one', async () => {
    await start({ maxMessageSize: 100_000, idleTimeOutMs: 50 })
    client.write(attachSender('a'))
    await client.next('flow')
    const sender = await core.sender()
    const payload = Buffer.concat([Buffer.from('005375b00000c350', 'hex'), Buffer.alloc(50_000)])
    for (let id = 0; id < 6; id++) client.write(transfer(payload, { id }))
    await core.until(() => sender.sent.length >= 4, 'messages')
    await new Promise(resolve => setTimeout(resolve, 250)) // five times as long as it may be silent
    for (let settled = 0; settled < 6; settled++) {
      const sent = await core.until(() => sender.sent[settled], 'the next message')
      sent.settle({ type: 'accepted' })
    }
    assert.equal(((await client.next('close')).fields[0] as unknown[])[0], 'amqp:resource-limit-exceeded')
  })

  it('closes the connection for more unsettled deliveries than the session may have', async () => {
    core.senderCredit = 5000
    await start()
    client.write(attachSender('a'))
    await client.next('flow')
    const message = Buffer.from('005375a00161', 'hex')
    let credit = 500
    for (let id = 0; id < 2049; id++) {
      if (credit-- === 0) credit = Number((await client.next('flow')).fields[6]) - 1
      client.write(transfer(message, { id }))
    }
    await closedWith(core, client, 'amqp:session:window-violation')
  })

  it('closes the connection for delivery ids out of order', async () => {
    await start()
    client.write(attachSender('a'))
    await client.next('flow')
    client.write(transfer(Buffer.alloc(0), { id: 0xffffffff }), transfer(Buffer.alloc(0), { id: 0 }))
    client.write(transfer(Buffer.alloc(0), { id: 2 }))
    await closedWith(core, client, 'amqp:session:errant-link')
    assert.equal((await core.sender()).sent.length, 2) // ids wrap
  })

  it('sends no more to a client that does not read', async () => {
    await start()
    client.write(attachReceiver('a'), flow(10_000))
    const receiver = await core.receiver()
    await core.until(() => receiver.credit > 0, 'credit')
    client.socket.pause()
    const body = { type: 'data', sections: [Buffer.alloc(60_000)] } as const
    const message = {
      durable: false,
      deliveryCount: 0,
      annotations: new Map(),
      properties: {},
      applicationProperties: new Map(),
      body
    }
    let sent = 0
    const turn = () => new Promise(resolve => setImmediate(resolve))
    for (; receiver.credit > 0 && sent < 2000; sent++) {
      receiver.deliver(message)
      if (sent % 16 === 0) await turn()
    }
    assert.ok(sent < 500, `${sent} messages of 60 KB are on the way`)
    client.socket.resume()
    for (let i = 0; i < sent; i++) await client.next('transfer')
    client.write(disposition(0, ACCEPTED, { last: sent - 1 }))
    await core.until(() => receiver.credit > 0, 'credit')
  })
})
