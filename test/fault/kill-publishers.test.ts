// kill -9 of the server while MQTT clients publish with QoS 1 into the durable queue of a pure AMQP client.
// Rule: nothing acknowledged is missing, each publisher's order is kept, and what comes twice was not acknowledged.

import { rounds } from './random.js'
import { Scene } from './scene.js'
import { storedBefore } from './verdict.js'

describe('kill -9 during a flow of QoS 1', () => {
  let scene: Scene

  beforeEach(async () => {
    scene = await Scene.open()
  })

  afterEach(() => scene.close())

  for (const { name, random } of rounds(1)) {
    it(`loses nothing that was acknowledged and repeats only what was not (${name}) [MQTT3-4.3.2-2] [MQTT3-4.6.0-2]`, async () => {
      await scene.flowUntil(random)
      await scene.server.kill()
      const publishers = await scene.final()
      await scene.start()
      storedBefore(await scene.resumeAndDrain(), publishers)
    })
  }
})
