// Connections that we open: login, sharing, and how they end.

import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { ConnectionPool } from '../../../adapters/rhea/connection-pool.js'
import { principal } from '../../fixtures/fake-core.js'
import { Scene } from './fixture.js'

const login = (username: string) => ({ username, password: Buffer.from('secret') })

describe('adapters/rhea as a client: connections', () => {
  let scene: Scene
  beforeEach(() => (scene = new Scene()))
  afterEach(() => scene.end())

  it('logs in with a name and password, and without', async () => {
    scene.core.authentication = { principal: principal('käse') }
    const pool = await scene.pool()
    await pool.connect(login('käse'))
    await pool.connect({})
    const [plain] = scene.core.credentials.filter(({ mechanism }) => mechanism === 'PLAIN')
    assert.ok(plain?.mechanism === 'PLAIN')
    assert.deepEqual([plain.username, Buffer.from(plain.password).toString()], ['käse', 'secret'])
    assert.equal(scene.core.connections.length, 2)
  })

  it('fails where the login is refused, and throws nothing out of the process', async () => {
    const pool = await scene.pool()
    await assert.rejects(pool.connect(login('nobody')), { condition: 'amqp:unauthorized-access' })
  })

  it('shares a connection among the sessions of one identity, up to a number', async () => {
    scene.core.authentication = { principal: principal('other') }
    const pool = await scene.pool({ maxSessions: 2 })
    const sessions = await Promise.all([1, 2, 3, 4, 5].map(() => pool.connect({})))
    assert.equal(scene.core.connections.length, 3)
    await pool.connect(login('other'))
    assert.equal(scene.core.connections.length, 4)
    await sessions[0]?.close()
    await pool.connect({})
    assert.equal(scene.core.connections.length, 4)
  })

  it('tells each link once that its connection was lost, connects no more by itself, and again when asked', async () => {
    const pool = await scene.pool()
    const session = await pool.connect({})
    const { onClosed, onDelivery } = scene
    await session.openReceiver({ address: 'a', window: 1, onDelivery, onClosed })
    await session.openSender({ address: 'b', onClosed })
    session.lose()
    await scene.until(() => scene.closed.length === 2, 'both ends')
    assert.deepEqual(
      scene.closed.map(({ cause }) => cause),
      ['lost', 'lost']
    )
    await assert.rejects(session.openSender({ address: 'c' }), { condition: 'amqp:connection:forced' })
    await session.close()
    assert.equal(scene.core.connections.length, 1)
    await (await pool.connect({})).openSender({ address: 'c' })
    assert.equal(scene.core.connections.length, 2)
  })

  it('survives a host that closes the connection with an error', async () => {
    const session = await (await scene.pool()).connect({})
    const { onClosed, onDelivery } = scene
    await session.openReceiver({ address: 'a', window: 1, onDelivery, onClosed })
    await scene.core.closeListener()
    await scene.until(() => scene.closed.length === 1, 'the end')
    assert.equal(scene.closed[0]?.cause, 'lost')
    assert.equal(scene.closed[0].error?.condition, 'amqp:connection:forced')
  })

  it('gives up a host that says nothing', async () => {
    const mute = createServer(socket => socket.on('error', () => undefined).resume())
    await new Promise<void>(resolve => mute.listen(0, '127.0.0.1', resolve))
    const { port } = mute.address() as AddressInfo
    const options = {
      host: '127.0.0.1',
      port,
      containerId: 'test',
      attachTimeoutMs: 100,
      idleTimeOutMs: 30_000
    }
    const pool = new ConnectionPool({ ...options, connectTimeoutMs: 30, maxSessions: 1, idleMs: 1 })
    await assert.rejects(pool.connect({}), { condition: 'amqp:connection:forced' })
    await pool.close()
    await new Promise(resolve => mute.close(resolve))
  })

  it('closes a connection that nobody uses', async () => {
    const session = await (await scene.pool({ idleMs: 1 })).connect({})
    await session.close()
    await scene.core.until(() => scene.core.connections[0]?.ended === 'closed', 'the end of the connection')
  })
})
