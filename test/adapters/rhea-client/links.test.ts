// Links that we open: what rhea does to them by itself, and what keeps that away.

import assert from 'node:assert/strict'
import { message, Scene, textOf } from './fixture.js'

const ACCEPTED = { type: 'accepted' } as const
const RELEASED = { type: 'released' } as const

describe('adapters/rhea as a client: links', () => {
  let scene: Scene
  beforeEach(() => (scene = new Scene()))
  afterEach(() => scene.end())

  const connect = async () => (await scene.pool()).connect({})

  it('never throws for want of a place in the session, and goes on when there is one', async () => {
    scene.core.senderCredit = 10_000
    const { onCredit } = scene
    const pool = await scene.pool()
    const sender = await (await pool.connect({})).openSender({ address: 'a', onCredit })
    const core = await scene.core.sender()
    let sent = 0
    const fill = async (): Promise<void> => {
      const count = sent + 2048
      while (sent < count) {
        await scene.until(() => sender.credit > 0, `a place for ${sent}`)
        while (sender.credit > 0) sender.send(message(String(sent++)))
      }
      await scene.core.until(() => core.sent.length === sent, `${sent} messages`)
      assert.deepEqual([sent, sender.credit], [count, 0])
    }
    await fill()
    const other = await (await pool.connect({})).openSender({ address: 'b', onCredit })
    await scene.until(() => other.credit > 0, 'credit of another session')
    const outcome = new Promise(resolve => other.send(message('other'), resolve))
    const [connection, ...more] = scene.core.connections
    await scene.core.until(() => connection?.senders[1]?.sent.length === 1, 'the message of the other')
    connection?.senders[1]?.sent[0]?.settle(ACCEPTED)
    assert.deepEqual([await outcome, more], [ACCEPTED, []])
    for (const { settle } of core.sent) settle(ACCEPTED)
    await fill()
    assert.equal(textOf(core.sent.at(-1)?.message ?? message('')), '4095')
  })

  it('refuses to send without credit, and its other links go on', async () => {
    scene.core.senderCredit = 1
    const connection = await connect()
    const { onCredit } = scene
    const poor = await connection.openSender({ address: 'a', onCredit })
    await scene.until(() => poor.credit > 0, 'credit')
    poor.send(message('1'))
    assert.equal(poor.credit, 0)
    assert.throws(() => poor.send(message('2')), RangeError)
    const other = await connection.openSender({ address: 'b', onCredit })
    await scene.until(() => other.credit > 0, 'credit of the other')
    const outcome = new Promise(resolve => other.send(message('3'), resolve))
    const core = await scene.core.sender(1)
    await scene.core.until(() => core.sent.length === 1, 'the message of the other')
    core.sent[0]?.settle(ACCEPTED)
    assert.deepEqual(await outcome, ACCEPTED)
  })

  it('fails an attach that is refused, and its other links go on', async () => {
    const connection = await connect()
    await assert.rejects(connection.openSender({ address: 'refused' }), { condition: 'amqp:not-found' })
    const receiving = connection.openReceiver({ address: 'refused', window: 1, onDelivery: scene.onDelivery })
    await assert.rejects(receiving, { condition: 'amqp:not-found' })
    const { onCredit } = scene
    const sender = await connection.openSender({ address: 'a', onCredit })
    await scene.until(() => sender.credit > 0, 'credit')
    sender.send(message('1'))
    const core = await scene.core.sender()
    await scene.core.until(() => core.sent.length === 1, 'the message')
  })

  it('is not stopped by one delivery that is never settled', async () => {
    const { onDelivery } = scene
    await (await connect()).openReceiver({ address: 'a', window: 100, onDelivery })
    const core = await scene.core.receiver()
    for (let i = 0; i < 5000; i++) {
      await scene.core.until(() => core.credit > 0, `credit for ${i}`)
      core.deliver(message(String(i)))
      await scene.until(() => scene.deliveries.length > i, `delivery ${i}`)
      if (i > 0) scene.deliveries[i]?.settle(ACCEPTED)
    }
    assert.equal(core.settled.has('0'), false)
  }).timeout(20_000)

  it('is not stopped by one message that the host never answers', async () => {
    scene.core.senderCredit = 5000
    const { onCredit } = scene
    const sender = await (await connect()).openSender({ address: 'a', onCredit })
    const core = await scene.core.sender()
    for (let i = 0; i < 5000; i++) {
      await scene.until(() => sender.credit > 0, `credit for ${i}`)
      sender.send(message(String(i)))
      await scene.core.until(() => core.sent.length > i, `message ${i}`)
      if (i > 0) core.sent[i]?.settle(ACCEPTED)
    }
  }).timeout(20_000)

  it('gives credit back when a delivery is settled, not when it comes', async () => {
    const { onDelivery } = scene
    await (await connect()).openReceiver({ address: 'a', window: 2, onDelivery })
    const core = await scene.core.receiver()
    await scene.core.until(() => core.credit === 2, 'the window')
    core.deliver(message('1'))
    core.deliver(message('2'))
    await scene.until(() => scene.deliveries.length === 2, 'both')
    const witness = await (await scene.core.connection()).openSender({ address: 'w' })
    assert.ok(witness)
    assert.deepEqual([core.credit, core.settled.size], [0, 0])
    scene.deliveries[0]?.settle(ACCEPTED)
    await scene.core.until(() => core.credit === 1, 'credit for one')
    assert.deepEqual([...core.settled], [['0', ACCEPTED]])
  })

  it('tells each of two deliveries settled at once its own outcome', async () => {
    const { onDelivery } = scene
    await (await connect()).openReceiver({ address: 'a', window: 4, onDelivery })
    const core = await scene.core.receiver()
    await scene.core.until(() => core.credit === 4, 'the window')
    for (const text of ['1', '2', '3']) core.deliver(message(text))
    await scene.until(() => scene.deliveries.length === 3, 'all')
    const outcomes = [ACCEPTED, RELEASED, ACCEPTED]
    for (const [i, outcome] of outcomes.entries()) scene.deliveries[i]?.settle(outcome)
    await scene.core.until(() => core.settled.size === 3, 'the outcomes')
    assert.deepEqual([...core.settled.values()], outcomes)
  })

  it('is told each outcome of messages that were settled at once', async () => {
    const { onCredit } = scene
    const sender = await (await connect()).openSender({ address: 'a', onCredit })
    await scene.until(() => sender.credit > 2, 'credit')
    const told = [1, 2].map(i => new Promise(resolve => sender.send(message(String(i)), resolve)))
    const core = await scene.core.sender()
    await scene.core.until(() => core.sent.length === 2, 'the messages')
    core.sent[0]?.settle(ACCEPTED)
    core.sent[1]?.settle(RELEASED)
    assert.deepEqual(await Promise.all(told), [ACCEPTED, RELEASED])
  })

  it('receives after a drain as before it', async () => {
    const { onDelivery } = scene
    const connection = await connect()
    const receiver = await connection.openReceiver({ address: 'a', window: 0, onDelivery })
    const core = await scene.core.receiver()
    core.stock.push(message('1'))
    receiver.addCredit(5)
    await receiver.drain()
    assert.equal(scene.deliveries.length, 1)
    receiver.addCredit(3)
    await scene.core.until(() => core.credit === 3, 'credit')
    await connection.openSender({ address: 'b' }) // what came behind the credit has been done
    assert.equal(core.credit, 3)
    core.deliver(message('2'))
    await scene.until(() => scene.deliveries.length === 2, 'another delivery')
  })

  it('attaches a sender and a receiver of one name, and refuses a second of a kind alone', async () => {
    const connection = await connect()
    const { onDelivery } = scene
    await connection.openSender({ name: 'same', address: 'a' })
    await connection.openReceiver({ name: 'same', address: 'a', window: 1, onDelivery })
    await assert.rejects(connection.openSender({ name: 'same', address: 'b' }), {
      condition: 'amqp:not-allowed'
    })
    await connection.openSender({ name: 'other', address: 'b' })
  })

  it('tells a link why the host detached it', async () => {
    const { onClosed, onDelivery } = scene
    await (await connect()).openReceiver({ address: 'a', window: 1, onDelivery, onClosed })
    const error = { condition: 'amqp:resource-deleted', description: 'it is gone' }
    ;(await scene.core.receiver()).options.onClosed?.({ cause: 'error', error })
    await scene.until(() => scene.closed.length === 1, 'the end')
    assert.deepEqual(scene.closed, [{ cause: 'error', error }])
  })

  it('gives up an attach that the host does not answer', async () => {
    scene.core.gate = new Promise(() => undefined)
    const connection = await (await scene.pool({ attachTimeoutMs: 30 })).connect({})
    await assert.rejects(connection.openSender({ address: 'a' }), { condition: 'amqp:connection:forced' })
  })
})
