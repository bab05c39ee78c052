// Clients that were let in and then ask for much, or read nothing of what they asked for.

import assert from 'node:assert/strict'
import { publish, subscribe, type RequestedFilter } from '../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../fixtures/mqtt-socket.js'
import { Scene, SOAK, tell } from './scene.js'

const ROUNDS = SOAK ? 40 : 8
const PINGS = Buffer.alloc(2 * 50_000, Buffer.of(0xc0, 0))
const FILTERS = 100_000
const PER_PACKET = 1000

describe('an MQTT listener with hostile clients', function () {
  this.timeout(120_000)
  let scene: Scene
  afterEach(() => scene.end())

  const acknowledged = (count: number): Buffer =>
    Buffer.concat(Array.from({ length: count }, (_, i) => publish('flood/x', 'x', { packetId: i + 1 })))

  /** Sends until the server reads no more of it, or all was sent; the bytes that are left. */
  async function flood(client: MqttSocket, block: Buffer): Promise<number> {
    client.pauseReading()
    client.sendInTurn(Array.from({ length: ROUNDS * 100 }, () => block))
    for (let left = Infinity; left !== client.unsentBytes && client.unsentBytes > 0;) {
      left = client.unsentBytes
      await witnessed()
    }
    return client.unsentBytes
  }

  /** As long as another client needs for some hundred round trips. */
  async function witnessed(): Promise<void> {
    const other = await scene.connect('other')
    for (let i = 0; i < 200; i++) await other.untilPong()
    await other.disconnect()
  }

  it('is read no further where a client does not read its PUBACKs', async () => {
    scene = await Scene.start()
    const client = await scene.connect('deaf')
    const left = await flood(client, acknowledged(60_000))
    assert.ok(left > 0, 'all was read')
    assert.ok(scene.grownMib < 200, `${scene.grownMib} MiB more`)
    tell('PUBACKs that nobody reads', { grownMib: scene.grownMib })
    tell('witness', { ...(await scene.finish()) })
  })

  it('is read no further where a client does not read its PINGRESPs', async () => {
    scene = await Scene.start()
    const client = await scene.connect('deaf')
    const left = await flood(client, PINGS)
    assert.ok(left > 0, 'all was read')
    assert.ok(scene.grownMib < 200, `${scene.grownMib} MiB more`)
    await scene.finish()
  })

  it('answers 10,000 filters in one packet', async () => {
    scene = await Scene.start()
    const client = await scene.connect('greedy')
    const filters = Array.from({ length: 10_000 }, (_, i): RequestedFilter => [`storm/${i}/+`, 1])
    const from = performance.now()
    const codes = await client.subscribe(...filters)
    tell('10,000 filters in one packet', { ms: performance.now() - from, grownMib: scene.grownMib })
    assert.deepEqual(new Set(codes), new Set([1]))
    await client.publish('storm/9999/x', 'x').catch(() => undefined) // its own PUBLISH may come first
    assert.ok(scene.grownMib < 200, `${scene.grownMib} MiB more`)
    const { slowestMs } = await scene.finish()
    tell('witness', { slowestMs })
  })

  it(`grants a client no more filters than its limit of ${FILTERS} that it asks for`, async () => {
    scene = await Scene.start({ mqtt: { limits: { filtersPerClient: 5000 } } })
    const client = await scene.connect('greedy')
    let granted = 0
    for (let sent = 0; sent < FILTERS; sent += PER_PACKET) {
      const filters = Array.from({ length: PER_PACKET }, (_, i): RequestedFilter => [`storm/${sent + i}`, 0])
      granted += (await client.subscribe(...filters)).filter(code => code === 0).length
    }
    assert.equal(granted, 5000)
    assert.ok(scene.grownMib < 200, `${scene.grownMib} MiB more`)
    tell('100,000 filters over many packets', { granted, grownMib: scene.grownMib })
    const { slowestMs } = await scene.finish()
    tell('witness', { slowestMs })
  })

  it('answers subscriptions that are made and given up without end', async () => {
    scene = await Scene.start()
    const client = await scene.connect('restless')
    for (let round = 0; round < ROUNDS * 10; round++) {
      const filters = Array.from({ length: 100 }, (_, i) => `restless/${round}/${i}`)
      await client.subscribe(...filters.map((filter): RequestedFilter => [filter, 1]))
      await client.unsubscribe(...filters)
    }
    assert.ok(scene.grownMib < 200, `${scene.grownMib} MiB more`)
    await scene.finish()
  })

  it('reads a bounded number of SUBSCRIBEs of a client that does not wait for answers', async () => {
    scene = await Scene.start()
    const client = await scene.connect('impatient')
    const packets = Array.from({ length: 60_000 }, (_, i) => subscribe(i + 1, [`impatient/${i % 50}`, 1]))
    client.send(...packets)
    for (let answered = 0; answered < packets.length; answered++) {
      const answer = await client.next()
      assert.ok(answer.cmd === 'suback' && answer.packetId === answered + 1)
    }
    assert.ok(scene.grownMib < 200, `${scene.grownMib} MiB more`)
    tell('witness', { ...(await scene.finish()) })
  })
})
