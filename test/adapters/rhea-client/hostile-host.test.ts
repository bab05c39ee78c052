// What a host may do to the connections that we open, whether AMQP allows it or not.
// Rule: each case ends what it is about, with the host's reason, and nothing else; nothing reaches the process.

import assert from 'node:assert/strict'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { saslMechanisms, saslOutcome } from '../../../adapters/rhea/sasl-server.js'
import {
  AMQP_HEADER,
  amqpError,
  detach,
  flow,
  frame,
  source,
  target,
  transfer,
  uint,
  ubyte,
  ushort,
  type RawFrame
} from '../../fixtures/amqp-frames.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'
import { message, Scene, sendInPieces } from './fixture.js'

const UNAUTHORIZED = 'amqp:unauthorized-access'

describe('adapters/rhea as a client: a host that does what it likes', () => {
  let scene: Scene
  let server: Server
  let port: number
  let accepted: Promise<RawAmqp>

  beforeEach(async () => {
    scene = new Scene()
    server = createServer()
    accepted = new Promise(resolve => server.once('connection', socket => resolve(new RawAmqp(socket))))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
  })
  afterEach(async () => {
    ;(await accepted).close()
    await scene.end()
    await new Promise(resolve => server.close(resolve))
  })

  /** Lets a client in, and answers its begin. */
  async function host(): Promise<RawAmqp> {
    const peer = await accepted
    peer.write(saslMechanisms(['ANONYMOUS']))
    await peer.next('saslInit')
    peer.write(saslOutcome('ok'), AMQP_HEADER, frame('open', 0, ['host']))
    return peer
  }

  function begin(peer: RawAmqp, { channel }: RawFrame, firstId = 0): void {
    peer.write(frame('begin', channel, [ushort(channel), uint(firstId), uint(5000), uint(5000)]))
  }

  /** A session, and the host's end of its connection. */
  async function open({ ours = 0, theirs = 0 } = {}) {
    const pool = scene.poolTo(port, { firstId: ours })
    const [session, peer] = await Promise.all([pool.connect({}), host()])
    begin(peer, await peer.next('begin'), theirs)
    return { pool, session, peer }
  }

  /** Answers the attach of a link of ours. */
  function attach(peer: RawAmqp, { channel, fields }: RawFrame): void {
    const [name = '', handle = null, role] = fields
    const termini = [source(['a']), target(['a']), null, null]
    const count = role === true ? uint(0) : null
    peer.write(
      frame('attach', channel, [
        name,
        uint(Number(handle)),
        role !== true,
        ubyte(0),
        ubyte(0),
        ...termini,
        count
      ])
    )
  }

  async function receive(theirs = 0) {
    const opened = await open({ theirs })
    const { onDelivery, onClosed } = scene
    const opening = opened.session.openReceiver({ address: 'a', window: 10, onDelivery, onClosed })
    attach(opened.peer, await opened.peer.next('attach'))
    return { ...opened, receiver: await opening }
  }

  it('says all it has to say at once when it lets us in: nothing of it is waited for', async () => {
    const { peer } = await open()
    assert.equal(peer.headers.length, 2)
  })

  it('refuses a login behind its open: whatever needs the connection says so', async () => {
    const { session, peer } = await open()
    const sending = session.openSender({ address: 'a' })
    await peer.next('attach')
    peer.write(frame('close', 0, [amqpError(UNAUTHORIZED, 'who are you?')]))
    await assert.rejects(sending, { condition: UNAUTHORIZED, description: 'who are you?' })
    await assert.rejects(session.openSender({ address: 'a' }), { condition: UNAUTHORIZED })
  })

  it('ends a session with an error: its links are told once, another session goes on', async () => {
    const { pool, session, peer } = await receive()
    const other = await pool.connect({})
    const begun = await peer.next('begin')
    begin(peer, begun)
    const error = { condition: 'amqp:internal-error', description: 'no more' }
    peer.write(frame('end', 0, [amqpError(error.condition, error.description)]))
    await session.ended
    await peer.next('end')
    assert.deepEqual(scene.closed, [{ cause: 'lost', error }])
    const sending = other.openSender({ address: 'b' })
    const came = await peer.next('attach')
    assert.equal(came.channel, begun.channel)
    attach(peer, came)
    await sending
    assert.equal(scene.closed.length, 1)
  })

  it('detaches with an error: the link is told once, and answers', async () => {
    const { peer } = await receive()
    const error = { condition: 'amqp:resource-deleted', description: 'gone' }
    peer.write(detach(0, { error: amqpError(error.condition, error.description) }))
    await peer.next('detach')
    assert.deepEqual(scene.closed, [{ cause: 'error', error }])
  })

  it('answers an end before it has let go of a consumer: we detach it first, and wait', async () => {
    const { session, peer } = await receive()
    const closing = session.close()
    const { channel } = await peer.next('detach')
    assert.equal(peer.frames.filter(({ name }) => name === 'end').length, 0)
    peer.write(detach(0))
    await peer.next('end')
    peer.write(frame('end', channel, []))
    await closing
    assert.deepEqual(scene.closed, [])
  })

  it('sends a message in more frames than our window, and its numbers wrap meanwhile: we get it', async () => {
    const first = 2 ** 32 - 10
    const { peer } = await receive(first)
    await sendInPieces(peer, first, 8192)
    await scene.until(() => scene.deliveries.length === 1, 'the message')
  })

  it('gives credit while what we sent is on its way, and its count wraps meanwhile: we have what is left', async () => {
    const first = 2 ** 32 - 2
    const { session, peer } = await open({ ours: first })
    const opening = session.openSender({ address: 'a', onCredit: scene.onCredit })
    const came = await peer.next('attach')
    assert.equal(came.fields[9], first)
    attach(peer, came)
    const sender = await opening
    peer.write(flow(4, { nextIncomingId: first, deliveryCount: first }))
    await scene.until(() => sender.credit === 4, 'the credit')
    for (let i = 0; i < 4; i++) sender.send(message(String(i)))
    for (let i = 0; i < 4; i++) await peer.next('transfer')
    peer.write(flow(5, { nextIncomingId: first + 1, deliveryCount: first + 1 }))
    await scene.until(() => sender.credit > 0, 'more credit')
    assert.equal(sender.credit, 2)
  })

  const faults: readonly [string, Buffer][] = [
    ['a frame that AMQP does not know', Buffer.from('0000000c0200000000539945', 'hex')],
    ['a frame that ends in its midst', Buffer.from('0000000c0200000000531410', 'hex')],
    ['a transfer on a handle that nobody has', transfer(Buffer.alloc(0), { handle: 7 })],
    [
      'a transfer out of sequence',
      Buffer.concat([0, 2].map(id => transfer(Buffer.from('005377a10161', 'hex'), { id })))
    ],
    ['a detach of nothing', detach(9)],
    ['a frame on a channel that has no session', detach(0, { channel: 9 })],
    ['an answer to no attach', frame('attach', 0, ['stranger', uint(5), false])],
    ['a message that is none', transfer(Buffer.from('00'.repeat(9), 'hex'))]
  ]
  for (const [what, bytes] of faults) {
    it(`sends ${what}: the connection is lost, once`, async () => {
      const { session, peer } = await receive()
      peer.write(bytes)
      await session.ended
      await peer.ended
      assert.deepEqual(
        scene.closed.map(({ cause }) => cause),
        ['lost']
      )
      const [closed] = scene.closed
      assert.ok(closed?.cause === 'lost' && closed.error !== undefined)
      assert.notEqual(closed.error.description, 'the connection is gone') // but what was wrong
      await assert.rejects(session.openSender({ address: 'a' }))
    })
  }
})
