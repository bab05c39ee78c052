// kill -9 of the server while an AMQP consumer of the queue holds deliveries that it has not settled.
// Rule: they come again, in the order of the queue and ahead of what was never delivered.

import assert from 'node:assert/strict'
import { Consumer } from './consumer.js'
import { rounds } from './random.js'
import { Scene } from './scene.js'
import { keyOf, storedBefore } from './verdict.js'

describe('kill -9 with a consumer that holds deliveries', () => {
  let scene: Scene

  beforeEach(async () => {
    scene = await Scene.open()
  })

  afterEach(() => scene.close())

  for (const { name, random } of rounds(2)) {
    it(`delivers again, in order, what was not settled (${name})`, async () => {
      const consumer = await Consumer.attach(scene, random)
      await scene.flowUntil(random)
      await consumer.holds(random.between(1, 40))
      await scene.server.kill()
      const publishers = await scene.final()
      const { delivered, held } = consumer
      await scene.start()
      const stored = storedBefore(await scene.resumeAndDrain(), publishers, consumer.accepted)
      const came = new Set(stored.map(keyOf))
      for (const { publisher, index } of held) {
        const acknowledged = index < (publishers.get(publisher)?.acknowledged ?? 0)
        assert.ok(
          !acknowledged || came.has(keyOf({ publisher, index })),
          `${publisher} ${index} was held and comes again`
        )
      }
      const again = delivered.map(keyOf).filter(key => came.has(key))
      assert.deepEqual(
        stored.slice(0, again.length).map(keyOf),
        again,
        'what was delivered before comes first, in order'
      )
    })
  }
})
