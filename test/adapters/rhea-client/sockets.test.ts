// What reaches the operating system: how many writes, without Nagle's delay, and no timer behind the end.
// Rule: a test sees the calls of this process's sockets themselves, told apart by their ports, and puts back what it watched.

import assert from 'node:assert/strict'
import { connect, createServer, Socket, type AddressInfo } from 'node:net'
import { message, Scene } from './fixture.js'

const BURST = 50
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length

/** Part of node's TCP handle. */
interface TcpHandle {
  setNoDelay(on: boolean): number
}

/** The prototype of all TCP handles; undefined behind `close`. */
async function tcpHandles(): Promise<TcpHandle> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await new Promise(resolve => socket.once('connect', resolve))
  const { _handle } = socket as unknown as { readonly _handle: TcpHandle }
  const prototype = Object.getPrototypeOf(_handle) as TcpHandle
  socket.destroy()
  await new Promise(resolve => server.close(resolve))
  return prototype
}

describe('adapters/rhea: sockets', () => {
  let scene: Scene
  let port: number
  /** of the client's sockets and of the host's */
  let writes: { client: number; host: number }
  const { write } = Socket.prototype

  beforeEach(async () => {
    scene = new Scene()
    port = await scene.core.listen()
    writes = { client: 0, host: 0 }
    Socket.prototype.write = function (this: Socket, ...args: unknown[]): boolean {
      if (this.remotePort === port) writes.client++
      if (this.localPort === port) writes.host++
      return Reflect.apply(write, this, args) as boolean
    }
  })
  afterEach(async () => {
    Socket.prototype.write = write
    await scene.end()
  })

  it('get the frames of one turn in one write, whatever links and sessions they are of', async () => {
    const { onCredit, onDelivery } = scene
    const pool = scene.poolTo(port)
    const sessions = await Promise.all([1, 2].map(() => pool.connect({})))
    const senders = await Promise.all(sessions.map(each => each.openSender({ address: 'a', onCredit })))
    await scene.until(() => senders.every(({ credit }) => credit >= BURST), 'credit')
    await sessions[0]?.openReceiver({ address: 'b', window: BURST, onDelivery })
    const receiver = await scene.core.receiver()
    await scene.core.until(() => receiver.credit === BURST, 'the window')
    await turn() // what that made anybody write is out
    writes = { client: 0, host: 0 }
    for (let i = 0; i < BURST; i++) {
      for (const sender of senders) sender.send(message(String(i)))
      receiver.deliver(message(String(i)))
    }
    const [first, second] = await Promise.all([scene.core.sender(0), scene.core.sender(1)])
    await scene.core.until(() => first.sent.length + second.sent.length === 2 * BURST, 'all that was sent')
    await scene.until(() => scene.deliveries.length === BURST, 'all that was delivered')
    assert.ok(writes.client <= 2 && writes.host <= 2, `${writes.client} and ${writes.host} writes`)
  })

  it('do not wait for more to send, on either side', async () => {
    const handles = await tcpHandles()
    const { setNoDelay } = handles
    const undelayed = new Set<unknown>()
    handles.setNoDelay = function (this: TcpHandle, on: boolean): number {
      if (on) undelayed.add(this)
      return setNoDelay.call(this, on)
    }
    try {
      await scene.poolTo(port).connect({})
      assert.equal(undelayed.size, 2)
    } finally {
      handles.setNoDelay = setNoDelay
    }
  })

  it('that were lost leave no timer, and nothing that connects again', async () => {
    await turn() // mocha's own is there now
    const before = timers()
    const session = await scene.poolTo(port).connect({})
    await session.openSender({ address: 'a' })
    session.lose()
    await session.ended
    await scene.core.until(() => scene.core.connections[0]?.ended, 'the end at the host')
    for (let turns = 0; timers() > before && turns < 100; turns++) await turn()
    assert.equal(timers(), before)
  })
})
