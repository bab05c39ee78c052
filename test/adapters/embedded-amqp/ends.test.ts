import assert from 'node:assert/strict'
import { encodeMessage } from '../../../adapters/rhea/message.js'
import { FakeCore, type FakeReceiver, type FakeSender } from '../../fixtures/fake-core.js'
import {
  amqpError,
  attachReceiver,
  attachSender,
  begin,
  flow,
  frame,
  transfer,
  uint
} from '../../fixtures/amqp-frames.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'

const { bytes } = encodeMessage({
  durable: false,
  deliveryCount: 0,
  annotations: new Map(),
  properties: {},
  applicationProperties: new Map(),
  body: { type: 'data', sections: [Buffer.from('x')] }
})

describe('the end of AMQP connections and sessions', () => {
  let core: FakeCore
  let port: number
  let client: RawAmqp

  beforeEach(async () => {
    core = new FakeCore()
    port = await core.listen({ idleTimeOutMs: 200 })
    client = await core.client(port)
  })

  afterEach(() => core.close())

  const links = async (): Promise<{ sender: FakeSender; receiver: FakeReceiver }> => {
    client.write(attachSender('a'), attachReceiver('b', { handle: 1 }), flow(5, { handle: 1 }))
    const sender = await core.sender()
    const receiver = await core.receiver()
    await core.until(() => receiver.credit > 0, 'credit')
    return { sender, receiver }
  }

  const ended = async (): Promise<'closed' | 'lost'> => {
    const connection = await core.connection()
    return await core.until(() => connection.ended, 'the end of the core connection')
  }

  it('is a close of the core when the client closes', async () => {
    const { sender } = await links()
    client.write(frame('close', 0, []))
    await client.next('close')
    await client.ended
    assert.equal(await ended(), 'closed')
    assert.equal(sender.closedWith, undefined)
    assert.deepEqual(core.log, [])
  })

  it('is a loss when the client closes with an error', async () => {
    await links()
    client.write(frame('close', 0, [amqpError('amqp:internal-error', 'crashed')]))
    await client.next('close')
    await client.ended
    assert.equal(await ended(), 'lost')
  })

  it('is a loss when the socket is cut', async () => {
    await links()
    client.close()
    assert.equal(await ended(), 'lost')
  })

  it('is a loss when the client ends its side of the socket without a close', async () => {
    await links()
    client.socket.end()
    assert.equal(await ended(), 'lost')
  })

  it('ends the links of a session without an error when the client ends that', async () => {
    const { sender, receiver } = await links()
    client.write(frame('end', 0, []))
    await client.next('end')
    assert.equal(sender.closedWith, null)
    assert.equal(receiver.closedWith, null)
    client.write(begin(0), attachSender('again'))
    await client.next('begin')
    await client.next('attach')
    assert.equal((await core.connection()).ended, undefined)
  })

  it('ends the links of a session with the error that the client ends it with', async () => {
    const { sender, receiver } = await links()
    client.write(frame('end', 0, [amqpError('amqp:internal-error', 'crashed')]))
    await client.next('end')
    for (const { closedWith } of [sender, receiver]) {
      assert.deepEqual(closedWith, { condition: 'amqp:internal-error', description: 'crashed' })
    }
  })

  it('leaves nothing open of an attach that the core answers afterwards', async () => {
    let open = (): void => {}
    core.gate = new Promise(resolve => (open = resolve))
    client.write(attachSender('a'), attachReceiver('b', { handle: 1 }), frame('close', 0, []))
    await client.ended
    open()
    const { closedWith } = await core.sender()
    assert.equal(closedWith ?? null, null)
    const sender = await core.sender()
    const receiver = await core.receiver()
    await core.until(() => sender.closedWith !== undefined && receiver.closedWith !== undefined, 'the ends')
  })

  it('does not disturb outcomes and deliveries that come after it', async () => {
    const { sender, receiver } = await links()
    client.write(transfer(bytes))
    const sent = await core.until(() => sender.sent[0], 'the message')
    client.close()
    await ended()
    sent.settle({ type: 'accepted' })
    sender.options.onCredit?.()
    receiver.deliver(sent.message)
    assert.deepEqual([...receiver.settled.values()], [{ type: 'released' }])
  })

  it('leaves no timer and nobody for what comes behind it', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
    await core.connection()
    const before = timers()
    const second = await core.client(port)
    second.write(
      frame('close', 0, []),
      begin(1),
      attachSender('late'),
      attachSender('late', { channel: 1, handle: 1 })
    )
    await second.ended
    await core.until(() => core.connections[1]?.ended, 'the end of the core connection')
    for (let turns = 0; timers() > before && turns < 100; turns++) {
      await new Promise(resolve => setImmediate(resolve)) // the server's socket has its end to come
    }
    assert.equal(timers(), before)
    assert.deepEqual(core.connections[1]?.senders, [])
    assert.deepEqual(core.log, [])
  })

  it('is told to clients when the listener closes', async () => {
    await links()
    const closing = core.closeListener()
    assert.equal(((await client.next('close')).fields[0] as unknown[])[0], 'amqp:connection:forced')
    await closing
    assert.equal(await ended(), 'lost')
    assert.deepEqual(core.log, [])
  })

  it('cuts clients that do not go when the listener closes', async () => {
    await links()
    client.socket.pause()
    await core.closeListener()
    assert.equal(await ended(), 'lost')
  })

  it('is cut off at the deadline, whoever is still logging in', async () => {
    const late = new RawAmqp(port)
    await new Promise(resolve => late.socket.once('connect', resolve))
    await core.close()
    await late.ended
  })

  it('comes to a client that is silent for twice the idle-time-out [AMQP-2.4.5]', async () => {
    await links()
    const started = performance.now()
    const [error] = (await client.next('close')).fields
    assert.equal((error as unknown[])[0], 'amqp:resource-limit-exceeded')
    assert.ok(performance.now() - started > 300)
    await client.ended
    assert.equal(await ended(), 'lost')
  })

  it('does not come to a client that sends empty frames, and gets them when it asked for them [AMQP-2.4.5]', async () => {
    const alive = await core.client(port, { fields: [null, null, null, uint(100)] })
    const started = performance.now()
    while (performance.now() - started < 600) {
      const before = alive.heartbeats
      alive.write(Buffer.from('0000000802000000', 'hex'))
      await new Promise<void>(resolve => {
        alive.socket.once('data', () => resolve())
      })
      assert.ok(alive.heartbeats > before)
    }
    alive.write(flow(0, { handle: null, echo: true }))
    await alive.next('flow')
  })

  it('of one client by a bug leaves the others alone', async () => {
    const { sender } = await links()
    const other = await core.client(port)
    other.write(attachSender('c'))
    await other.next('flow')
    sender.send = () => {
      throw new TypeError('a bug')
    }
    client.write(transfer(bytes))
    assert.equal((((await client.next('close')).fields[0] ?? []) as unknown[])[0], 'amqp:internal-error')
    await client.ended
    assert.deepEqual(
      core.log.map(({ level }) => level),
      ['warn']
    )
    other.write(transfer(bytes))
    const second = await core.until(() => core.connections[1]?.senders[0], 'the other sender')
    await core.until(() => second.sent.length === 1, 'the message')
  })

  it('closes twice without harm', async () => {
    await core.closeListener()
    await core.closeListener()
  })
})
