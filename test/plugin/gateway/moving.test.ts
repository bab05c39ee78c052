// The MQTT listener moves: new clients come in where the configuration says, and those that are there stay.

import assert from 'node:assert/strict'
import { createServer, type Server, type AddressInfo } from 'node:net'
import { changedSpace, mqttOptions, RunningGateway } from '../../fixtures/gateway.js'
import { connect, publish } from '../../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../../fixtures/mqtt-socket.js'

describe('a listener that moves', () => {
  let gateway: RunningGateway
  let client: MqttSocket
  let port: number
  const servers: Server[] = []

  beforeEach(async () => {
    gateway = await RunningGateway.start()
    client = await gateway.connect('here before')
    await client.subscribe(['t', 1])
    port = gateway.port
  })

  afterEach(async () => {
    for (const server of servers.splice(0)) server.close()
    await gateway.stop()
  })

  /** A server of somebody else; its port. */
  async function occupy(host: string, wanted = 0): Promise<number> {
    const server = createServer().listen(wanted, host)
    servers.push(server)
    await new Promise(resolve => server.once('listening', resolve))
    return (server.address() as AddressInfo).port
  }

  /** A port that nobody has. */
  async function freePort(): Promise<number> {
    const free = await occupy('127.0.0.1')
    await new Promise(resolve => servers.pop()?.close(resolve))
    return free
  }

  async function move(listener: object): Promise<void> {
    const mqtt = mqttOptions({ listener })
    await gateway.hooks.addressSpaceChanged(changedSpace(gateway.space, { mqtt }))
  }

  /** A new client on `at` reaches the one that was there before. */
  async function assertServes(at: number): Promise<void> {
    const fresh = await gateway.open(at)
    fresh.send(connect({ clientId: `on ${at}` }), publish('t', `on ${at}`))
    assert.equal((await fresh.next()).cmd, 'connack')
    assert.equal((await client.nextPublish()).payload, `on ${at}`)
    fresh.destroy()
  }

  it('keeps its clients, and leaves the old port', async () => {
    const to = await freePort()
    await move({ port: to })
    assert.equal(gateway.port, to)
    await assertServes(to)
    await assert.rejects(MqttSocket.open(port), { code: 'ECONNREFUSED' })
  })

  it('comes back to where it was', async () => {
    await move({ port: await freePort() })
    await move({ port })
    await assertServes(port)
  })

  it('stays where it was when the new port is in use, and says so', async () => {
    const taken = await occupy('127.0.0.1')
    await move({ port: taken })
    const status = gateway.status()
    assert.ok(status?.state === 'failed')
    assert.match(status.reason, new RegExp(`127\\.0\\.0\\.1:${taken}: the port is in use`))
    assert.deepEqual(status.listeners, [{ host: '127.0.0.1', port }])
    await assertServes(port)
    servers.pop()?.close()
    await move({ port: taken })
    assert.equal(gateway.port, taken)
    await assertServes(taken)
  })

  it('takes its own port on more addresses', async () => {
    await move({ host: '0.0.0.0', port })
    assert.deepEqual(gateway.status(), { state: 'ready', listeners: [{ host: '0.0.0.0', port }] })
    await assertServes(port)
  })

  it('goes back to its address when its own port is not free on more', async () => {
    await occupy('127.0.0.9', port)
    await move({ host: '0.0.0.0', port })
    const status = gateway.status()
    assert.ok(status?.state === 'failed')
    assert.match(status.reason, /0\.0\.0\.0:\d+: the port is in use/)
    assert.deepEqual(status.listeners, [{ host: '127.0.0.1', port }])
    await assertServes(port)
  })

  it('changes nothing else when it cannot move', async () => {
    const taken = await occupy('127.0.0.1')
    const mqtt = mqttOptions({ listener: { port: taken }, limits: { topicLevels: 1 } })
    await gateway.hooks.addressSpaceChanged(changedSpace(gateway.space, { mqtt }))
    assert.deepEqual(await client.subscribe(['a/b', 0]), [0])
  })

  it('ends with all its clients, wherever they came in', async () => {
    await move({ port: await freePort() })
    const fresh = await gateway.connect('fresh')
    await gateway.closeHost()
    assert.deepEqual([await client.untilClosed(), await fresh.untilClosed()], [[], []])
    await assert.rejects(MqttSocket.open(port), { code: 'ECONNREFUSED' })
  })
})
