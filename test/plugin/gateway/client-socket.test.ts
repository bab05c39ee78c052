// The socket of one client when it is over: nothing holds what is left of it.

import assert from 'node:assert/strict'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ClientSocket, SocketFlusher } from '../../../plugin/gateway/client-socket.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

describe('the socket of a client', () => {
  let server: Server
  let accepted: ((socket: Socket) => void) | undefined

  beforeEach(async () => {
    server = createServer(socket => accepted?.(socket))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  })
  afterEach(done => {
    server.close(done)
  })

  /** Connects, has `leave` end it at the client's side, and ends it here when that is seen. */
  async function live(leave: (client: Socket) => void): Promise<WeakRef<Socket>> {
    const arrived = new Promise<Socket>(resolve => (accepted = resolve))
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const socket = await arrived
    const gone = new Promise(resolve => socket.once('close', resolve))
    await new Promise<void>(resolve => {
      const own = new ClientSocket(socket, new SocketFlusher(), {
        onData: () => undefined,
        onClosed: () => {
          own.end()
          resolve()
        },
        onCongested: () => undefined,
        onUncongested: () => undefined
      })
      leave(client)
    })
    await gone
    client.destroy()
    accepted = undefined
    return new WeakRef(socket)
  }

  for (const [how, leave] of [
    ['was reset', (client: Socket) => void client.resetAndDestroy()],
    ['said all it had to say', (client: Socket) => void client.end()]
  ] as const) {
    it(`is let go of at once when its peer ${how}`, async () => {
      const left = await live(leave)
      for (let turns = 0; turns < 20 && left.deref() !== undefined; turns++) {
        await new Promise(resolve => setImmediate(resolve))
        collect()
      }
      assert.ok(left.deref() === undefined)
    })
  }
})
