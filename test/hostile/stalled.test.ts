// A subscriber that reads nothing while a publisher floods its topic, and one beside it that reads.
// Rule: the figures are of one run: without the stalled one and with it, on one server; what depends on the machine is told, not asserted.

import assert from 'node:assert/strict'
import { puback, publish, type Qos } from '../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../fixtures/mqtt-socket.js'
import { Scene, SOAK, tell } from './scene.js'

const MESSAGES = SOAK ? 200_000 : 20_000
const PAYLOAD = 'x'.repeat(1024)
/** sent and not received by the subscriber that reads */
const WINDOW = 500
const PACKET_IDS = 60_000
/** of the rate without the stalled one: short runs on a machine that is busy otherwise say little */
const LEAST = SOAK ? 0.7 : 0.2

describe('an MQTT listener with a subscriber that stalls', function () {
  this.timeout(300_000)
  let scene: Scene
  afterEach(() => scene.end())

  /** Publishes MESSAGES that `reader` receives; messages per second. */
  async function exchange(
    publisher: MqttSocket,
    reader: MqttSocket,
    topic: string,
    qos: Qos
  ): Promise<number> {
    const from = performance.now()
    let sent = 0
    for (let received = 0; received < MESSAGES; received++) {
      while (sent < MESSAGES && sent - received < WINDOW) {
        const fields = qos === 0 ? {} : { packetId: (sent % PACKET_IDS) + 1 }
        publisher.send(publish(topic, PAYLOAD, fields))
        sent += 1
      }
      const { packetId } = await reader.nextPublish()
      if (packetId !== undefined) reader.send(puback(packetId))
      while (publisher.untaken > 0) await publisher.next()
    }
    return (MESSAGES / (performance.now() - from)) * 1000
  }

  for (const qos of [0, 1] as const) {
    it(`stalls nobody else at QoS ${qos}, and costs a bounded amount of memory`, async () => {
      scene = await Scene.start({ mqtt: { limits: { bufferedBytes: 4_194_304 } } })
      const publisher = await scene.connect('publisher')
      const reader = await scene.connect('reader')
      await reader.subscribe(['stalled/x', qos])
      const warm = await exchange(publisher, reader, 'stalled/x', qos)
      const alone = await exchange(publisher, reader, 'stalled/x', qos)
      const before = scene.residentMib
      const stalled = await scene.connect('stalled')
      await stalled.subscribe(['stalled/x', qos])
      stalled.pauseReading()
      const beside = await exchange(publisher, reader, 'stalled/x', qos)
      const grown = scene.residentMib - before
      tell(`${MESSAGES} x 1 KB at QoS ${qos}`, {
        warm,
        alone,
        beside,
        percent: (beside / alone) * 100,
        grown
      })
      assert.ok(grown < 60, `${grown} MiB more`)
      assert.ok(beside > alone * LEAST, `${beside}/s beside it, ${alone}/s without`)
      if (qos === 1)
        assert.ok(scene.linesOf('a client was disconnected') === 1, 'it is closed past its bound')
      else assert.equal(scene.linesOf('a client was disconnected'), 0)
      stalled.resumeReading()
      if (qos === 1) await stalled.untilClosed()
      else assert.ok((await stalled.untilPong()).length < MESSAGES)
      tell('witness', { ...(await scene.finish()) })
    })
  }
})
