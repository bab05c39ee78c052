// kill -9 of the server while AMQP clients publish under duplicate ids, and send again under the same ids what was accepted and what
// was not.
// Rule: every message is in the queue once, in order.

import assert from 'node:assert/strict'
import { publishEnd, drain } from './drained.js'
import { flowUntil } from './flow.js'
import { IdPublisher } from './id-publisher.js'
import { rounds } from './random.js'
import { CLIENT_ID, Scene } from './scene.js'

const MOST = 2_000

describe('kill -9 during a flow with duplicate ids', () => {
  let scene: Scene

  beforeEach(async () => {
    scene = await Scene.open()
  })

  afterEach(() => scene.close())

  for (const { name, random } of rounds(9)) {
    it(`takes each message once, however often it was sent (${name})`, async () => {
      const publishers = Array.from({ length: 4 }, (_, i) => new IdPublisher(`p${i}`, `fault/ids/${i % 2}`))
      // twice: ids that a restart brought back must stand another one
      for (let kill = 0; kill < 2; kill++) {
        const { amqpPort } = scene.server.ready
        await flowUntil(publishers, () => amqpPort, random, MOST)
        await scene.server.kill()
        await Promise.all(publishers.map(p => p.connectionLost()))
        await scene.start()
        await Promise.all(publishers.map(p => p.resume(scene.server.ready.amqpPort)))
        for (const { acknowledged, sent } of publishers) assert.equal(acknowledged, sent)
      }
      await publishEnd(scene.server.ready.mqttPort)
      const amqp = await scene.amqp()
      const labels = await drain(amqp, CLIENT_ID)
      await amqp.close()
      for (const publisher of publishers) {
        const came = labels.filter(label => label.publisher === publisher.name).map(({ index }) => index)
        assert.deepEqual(
          came,
          Array.from({ length: publisher.sent }, (_, i) => i),
          `${publisher.name}: each once, in order`
        )
      }
    })
  }
})
