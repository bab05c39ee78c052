// SIGINT while MQTT clients publish and an AMQP consumer holds deliveries.
// Rule: the program ends with 0, nothing acknowledged is missing, and nothing that the consumer settled comes again.

import assert from 'node:assert/strict'
import { Consumer } from './consumer.js'
import { rounds } from './random.js'
import { Scene } from './scene.js'
import { keyOf, storedBefore } from './verdict.js'

describe('SIGINT during a flow of QoS 1', () => {
  let scene: Scene

  beforeEach(async () => {
    scene = await Scene.open()
  })

  afterEach(() => scene.close())

  for (const { name, random } of rounds(3)) {
    it(`ends with 0, keeps what was acknowledged and forgets what was settled (${name})`, async () => {
      const consumer = await Consumer.attach(scene, random)
      await scene.flowUntil(random)
      await consumer.holds(random.between(1, 15))
      const settled = new Set(consumer.accepted)
      await consumer.settled()
      assert.deepEqual(await scene.server.stop(), { code: 0, signal: null })
      const publishers = await scene.final()
      await scene.start()
      const stored = storedBefore(await scene.resumeAndDrain(), publishers, consumer.accepted)
      const again = stored.map(keyOf).filter(key => settled.has(key))
      assert.deepEqual(again, [], 'what was settled does not come again')
    })
  }
})
