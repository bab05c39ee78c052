// Connections that are made to cost something: silent, slow, half open, of one client id, with a length and nothing behind it.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect, packet, PINGREQ } from '../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../fixtures/mqtt-socket.js'
import { inParallel, Scene, SOAK, tell } from './scene.js'

/** Files that a process may have open here. */
const FILES = Number(/Max open files\s+\d+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
const SILENT = Math.min(5000, FILES - 500)
/** Of the program as it is built; from source, node carries a compiler too. */
const BUILT = process.env['MQTT_OVER_AMQP_DIST'] !== undefined
const AT_ONCE = 200

describe('an MQTT listener with hostile connections', function () {
  this.timeout(60_000)
  let scene: Scene
  afterEach(() => scene.end())

  async function openMany(count: number): Promise<MqttSocket[]> {
    const clients: MqttSocket[] = []
    await inParallel(count, AT_ONCE, async () => void clients.push(await scene.open()))
    return clients
  }

  /** After thousands of connections that came and went; garbage counts as long as nobody collects it. */
  function assertMemory(grownAgain: number): void {
    const grown = scene.grownMib
    tell('connections that came and went', { grownMib: grown, inTheSecondHalfMib: grownAgain })
    assert.ok(grown < (SOAK ? 90 : 60), `${grown} MiB more`)
    assert.ok(grownAgain < (SOAK ? 50 : 25), `${grownAgain} MiB more in the second half`)
  }

  it(`has ${SILENT} that say nothing: in bounded memory, closed in time, and a client gets in meanwhile`, async () => {
    scene = await Scene.start({ mqtt: { limits: { connectTimeoutMs: 3000 } } })
    const silent = await openMany(SILENT)
    const openFrom = performance.now()
    const client = await scene.connect('real')
    const connectMs = performance.now() - openFrom
    assert.ok(connectMs < 1000, `${connectMs} ms until CONNACK`)
    const grown = scene.grownMib
    assert.ok(grown < 90, `${grown} MiB more`)
    if (BUILT) assert.ok(scene.residentMib < 150, `${scene.residentMib} MiB`)
    tell(`${silent.length} silent connections`, {
      connectMs,
      grownMib: grown,
      residentMib: scene.residentMib
    })
    await Promise.all(silent.map(one => one.untilClosed()))
    assert.deepEqual(await client.untilPong(), [])
    tell('witness', { ...(await scene.finish()) })
  })

  it('has more than the limit: those over it are closed at once, few lines tell', async () => {
    scene = await Scene.start({ mqtt: { limits: { connections: 50 } } })
    await openMany(48) // and the witness
    const refused = SOAK ? 20_000 : 2000
    await inParallel(refused, 20, async () => {
      const one = await scene.open().catch(() => undefined) // or reset before it was there
      await one?.untilClosed()
    })
    assert.ok(scene.linesOf('too many MQTT connections: new ones are closed') <= (SOAK ? 10 : 2))
    assert.ok(scene.grownMib < 60, `${scene.grownMib} MiB more`)
    await scene.finish()
  })

  it('closes those whose CONNECT comes byte by byte when its time is over', async () => {
    scene = await Scene.start({ mqtt: { limits: { connectTimeoutMs: 1000 } } })
    const bytes = connect({ clientId: 'x'.repeat(200) })
    const openFrom = performance.now()
    const slow = await openMany(200)
    let at = 0
    const drip = setInterval(() => {
      for (const client of slow) client.send(bytes.subarray(at, at + 1))
      at += 1
    }, 50)
    await Promise.all(slow.map(client => client.untilClosed()))
    clearInterval(drip)
    assert.ok(performance.now() - openFrom < 5000)
    assert.ok(at < bytes.length)
    await scene.finish()
  })

  it('lets go of those that are half open or reset', async () => {
    scene = await Scene.start({ mqtt: { limits: { connections: 400 } } })
    const grownAgain = await scene.grownAgainMib(async () => {
      for (let round = 0; round < (SOAK ? 100 : 10); round++) {
        const clients = await openMany(100)
        for (const [index, client] of clients.entries()) {
          if (index % 2 === 0) client.reset()
          else client.finish(connect({ clientId: `gone-${index}` }).subarray(0, index % 20))
        }
        await Promise.all(clients.map(client => client.untilClosed()))
      }
    })
    assert.equal(scene.linesOf('too many MQTT connections: new ones are closed'), 0)
    assertMemory(grownAgain)
    await scene.finish()
  })

  it('closes for a length over the limit when it comes, and waits for none of it', async () => {
    scene = await Scene.start({ mqtt: { limits: { packetBytes: 1_000_000 } } })
    await inParallel(200, 20, async index => {
      const client = index % 2 === 0 ? await scene.open() : await scene.connect(`huge-${index}`)
      const first = index % 2 === 0 ? 0x10 : 0x30
      client.send(Buffer.of(first, 0xff, 0xff, 0xff, 0x7f))
      assert.deepEqual(await client.untilClosed(), [])
    })
    assert.ok(scene.grownMib < 60, `${scene.grownMib} MiB more`)
    await scene.finish()
  })

  it('holds no more than was sent of packets that are announced large', async () => {
    scene = await Scene.start()
    const clients: MqttSocket[] = []
    const start = packet(0x30, Buffer.alloc(16_000_000)).subarray(0, 10_000)
    await inParallel(200, 20, async index => {
      const client = await scene.connect(`announced-${index}`)
      client.send(start)
      clients.push(client)
    })
    const connected = await scene.connect('another')
    await connected.untilPong()
    assert.ok(scene.grownMib < 60, `${scene.grownMib} MiB more`)
    assert.ok(clients.every(({ closed }) => !closed))
    await scene.finish()
  })

  it('serves the last of a storm of connections with one client id', async () => {
    scene = await Scene.start()
    const count = SOAK ? 10_000 : 500
    const grownAgain = await scene.grownAgainMib(async () => {
      const storm: MqttSocket[] = []
      await inParallel(count, 50, async () => {
        const client = await scene.open()
        storm.push(client)
        client.send(connect({ clientId: 'the-same' }), PINGREQ)
        await client.next().catch(() => undefined) // or it was taken over before it was let in
      })
      const last = await scene.connect('the-same')
      await Promise.all(storm.map(client => client.untilClosed()))
      assert.deepEqual(await last.untilPong(), [])
    })
    assertMemory(grownAgain)
    await scene.finish()
  })
})
