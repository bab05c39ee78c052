// Damaged packets and frames against the running process, on both ports. FUZZ_SEED makes the same ones again, FUZZ_ROUNDS more or fewer.

import assert from 'node:assert/strict'
import { connect as connectTcp } from 'node:net'
import { LIFE, LOGIN } from '../fixtures/amqp-life.js'
import { connect } from '../fixtures/mqtt-bytes.js'
import { makeMutant, makeRandom, type Random } from '../fixtures/packet-mutants.js'
import { inParallel, Scene, SOAK, tell } from './scene.js'

const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? (SOAK ? 1_000_000 : 10_000))
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 0x7fff_ffff)
const AT_ONCE = 16
/** damaged packets behind one CONNECT: the first that is noticed ends the connection */
const PER_CONNECTION = 4

describe(`the program under damaged bytes, seed ${SEED}`, function () {
  this.timeout(60_000 + ROUNDS * 5)
  let scene: Scene
  afterEach(() => scene.end())

  /** Sends it all and FIN; resolves when the server has ended the connection. What it answers is passed over. */
  function throwAt(port: number, bytes: Buffer): Promise<void> {
    return new Promise(resolve => {
      const socket = connectTcp({ host: '127.0.0.1', port, noDelay: true })
      socket.on('error', () => undefined)
      socket.on('close', () => resolve())
      socket.resume()
      socket.end(bytes)
    })
  }

  async function survives(
    port: number,
    make: (random: Random) => { bytes: Buffer; count: number }
  ): Promise<void> {
    const random = makeRandom(SEED)
    const from = performance.now()
    let sent = 0
    let last: Buffer = Buffer.alloc(0)
    await inParallel(AT_ONCE, AT_ONCE, async () => {
      while (sent < ROUNDS) {
        const { bytes, count } = make(random)
        last = bytes
        sent += count
        await throwAt(port, bytes)
      }
    })
    const running = scene.server.program.exited.then(exit => `it ended: ${JSON.stringify(exit)}`)
    const ended = await Promise.race([running, scene.connect('after').then(() => undefined)])
    assert.equal(ended, undefined, `seed ${SEED}, ${sent} sent, one of the last: ${last.toString('hex')}`)
    assert.ok(scene.grownMib < 200, `${scene.grownMib} MiB more`)
    const seconds = (performance.now() - from) / 1000
    tell(`${sent} damaged, seed ${SEED}`, { perSecond: sent / seconds, grownMib: scene.grownMib })
    const { messages, slowestMs } = await scene.finish()
    tell('witness', { messages, slowestMs })
  }

  it(`survives ${ROUNDS} MQTT packets`, async () => {
    scene = await Scene.start()
    await survives(scene.server.mqttPort, random => {
      if (random(4) === 0) return { bytes: makeMutant(random), count: 1 }
      const mutants = Array.from({ length: PER_CONNECTION }, () => makeMutant(random))
      const hello = connect({ clientId: `fuzz-${random(50)}` })
      return { bytes: Buffer.concat([hello, ...mutants]), count: PER_CONNECTION }
    })
  })

  it(`survives ${ROUNDS} AMQP frames`, async () => {
    scene = await Scene.start()
    await survives(scene.server.amqpPort, random => {
      const frames = [...LOGIN, ...LIFE]
      // most logins stay as they are, so that what is behind them is reached
      const first = random(4) === 0 ? 0 : LOGIN.length
      for (let changes = random(PER_CONNECTION); changes >= 0; changes--) {
        const at = first + random(frames.length - first)
        frames[at] = damage(frames[at] ?? Buffer.alloc(0), random)
      }
      return { bytes: Buffer.concat(frames), count: frames.length - first }
    })
  })
})

/** A frame with a byte changed, a bit turned, its end cut, or another frame in its place. */
function damage(frame: Buffer, random: Random): Buffer {
  const changed = Buffer.from(frame)
  const at = random(Math.max(1, frame.length))
  switch (random(6)) {
    case 0:
      changed[at] = random(256)
      return changed
    case 1:
      changed[at] = (changed[at] ?? 0) ^ (1 << random(8))
      return changed
    case 2:
      return changed.subarray(0, at)
    case 3:
      return Buffer.concat([changed, changed])
    case 4: {
      // the size is right again, so that what is behind it is read
      const cut = changed.subarray(0, Math.max(8, at))
      if (cut.length >= 8) cut.writeUInt32BE(cut.length)
      return cut
    }
    default:
      return LIFE[random(LIFE.length)] ?? changed
  }
}
