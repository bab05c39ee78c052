// examples/custom-host.ts as its reader runs it: MQTT clients exchange messages through the plugin on it.

import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { SpaceStatus } from '../../plugin/host.js'
import { connect, puback } from '../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../fixtures/mqtt-socket.js'

const ROOT = new URL('../../', import.meta.url)

describe('examples/custom-host.ts', () => {
  let child: ChildProcess
  let port: number

  before(async () => {
    child = spawn(process.execPath, ['--import', 'tsx', 'examples/custom-host.ts', '0'], {
      cwd: fileURLToPath(ROOT),
      stdio: ['ignore', 'pipe', 'inherit']
    })
    assert.ok(child.stdout)
    for await (const line of createInterface({ input: child.stdout })) {
      const status = JSON.parse(line) as SpaceStatus
      assert.ok(status.state === 'ready', line)
      port = status.listeners[0]?.port ?? assert.fail(line)
      break
    }
  })
  after(() => child.kill('SIGKILL'))

  async function client(clientId: string): Promise<MqttSocket> {
    const socket = await MqttSocket.open(port)
    socket.send(connect({ clientId }))
    assert.deepEqual(await socket.next(), { cmd: 'connack', sessionPresent: false, returnCode: 0 })
    return socket
  }

  it('carries publications of QoS 0 and 1 to exact and wildcard subscriptions', async () => {
    const [publisher, exact, wild] = [await client('publisher'), await client('exact'), await client('wild')]
    assert.deepEqual(await exact.subscribe(['home/kitchen', 1]), [1])
    assert.deepEqual(await wild.subscribe(['home/#', 0], ['$SYS/x', 0]), [0, 0])
    for (let index = 0; index < 300; index++) {
      await publisher.publish('home/kitchen', String(index))
      const { payload, qos, packetId = 0 } = await exact.nextPublish()
      assert.deepEqual([payload, qos], [String(index), 1])
      exact.send(puback(packetId))
      assert.deepEqual((await wild.nextPublish()).payload, String(index))
    }
    await wild.unsubscribe('home/#')
    await publisher.publish('home/kitchen', 'more')
    assert.equal((await exact.nextPublish()).payload, 'more')
    assert.deepEqual(await wild.untilPong(), [])
  })

  it('gives a client id to its newest connection', async () => {
    const older = await client('same')
    const newer = await client('same')
    assert.deepEqual(await older.untilClosed(), [])
    assert.deepEqual(await newer.untilPong(), [])
  })

  it('ends by itself when it is interrupted', async () => {
    const last = await client('last')
    const exited = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGINT')
    assert.deepEqual(await last.untilClosed(), [])
    assert.equal(await exited, 0)
  })

  it('knows nothing of adapters', () => {
    for (const name of readdirSync(new URL('examples/', ROOT))) {
      const text = readFileSync(new URL(`examples/${name}`, ROOT), 'utf8')
      assert.doesNotMatch(text, /adapters\//, name)
    }
  })
})
