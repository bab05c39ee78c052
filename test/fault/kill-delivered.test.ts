// kill -9 of the server at the instant at which a client has got what it has not acknowledged.
// Rule: all of it comes again, in order, with DUP.

import assert from 'node:assert/strict'
import { connect, publish } from '../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../fixtures/mqtt-socket.js'
import { rounds } from './random.js'
import { Scene } from './scene.js'

/** no more than a client may have unacknowledged */
const MOST = 10

describe('kill -9 at the instant of a delivery', () => {
  let scene: Scene

  beforeEach(async () => {
    scene = await Scene.open()
  })

  afterEach(() => scene.close())

  async function open(clientId: string, clean: boolean): Promise<MqttSocket> {
    const client = await MqttSocket.open(scene.server.ready.mqttPort)
    client.send(connect({ clientId, clean }))
    const answer = await client.next()
    assert.ok(answer.cmd === 'connack' && answer.returnCode === 0)
    return client
  }

  for (const { name, random } of rounds(10)) {
    it(`sends again with DUP what the client has (${name}) [MQTT3-3.3.1-1] [MQTT3-4.4.0-1]`, async () => {
      const holder = await open('holder', false)
      await holder.subscribe(['held', 1])
      const publisher = await open('publisher', true)
      const count = random.between(1, MOST)
      for (let i = 0; i < count; i++) publisher.send(publish('held', String(i), { qos: 1, packetId: i + 1 }))
      const held: string[] = []
      while (held.length < count) {
        const { payload, dup } = await holder.nextPublish()
        assert.equal(dup, false)
        held.push(String(payload))
      }
      await scene.server.kill()
      holder.destroy()
      publisher.destroy()
      await scene.start()
      const again = await open('holder', false)
      for (const payload of held) {
        const { payload: came, dup } = await again.nextPublish()
        assert.deepEqual([String(came), dup], [payload, true])
      }
      again.destroy()
    })
  }
})
