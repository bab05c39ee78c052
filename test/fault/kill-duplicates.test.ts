// kill -9 of the server while AMQP clients publish under duplicate ids, and send again under the same ids what was accepted and what
// was not.
// Rule: every message is in the queue once, in order.

import assert from 'node:assert/strict'
import { publishEnd, drain } from './drained.js'
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
        const wanted = publishers.reduce((sum, p) => sum + p.accepted, 0) + random.between(1, MOST)
        const graceMs = random.between(0, 8)
        const { amqpPort } = scene.server.ready
        const ends: Promise<void>[] = []
        await new Promise<void>((resolve, reject) => {
          const check = (): void => {
            if (publishers.reduce((sum, p) => sum + p.accepted, 0) >= wanted) resolve()
          }
          ends.push(...publishers.map(p => p.flow(amqpPort, check)))
          Promise.all(ends).catch(reject)
        })
        // the fault's instant within what the server does between two batches of outcomes
        await new Promise(resolve => setTimeout(resolve, graceMs))
        await scene.server.kill()
        await Promise.all(ends)
        await scene.start()
        await Promise.all(publishers.map(p => p.resume(scene.server.ready.amqpPort)))
        for (const { accepted, sent } of publishers) assert.equal(accepted, sent)
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
