// Connections of a durable session that end before anything came over them: what the one before had in flight is not forgotten.

import assert from 'node:assert/strict'
import { connect, DISCONNECT } from '../../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../../fixtures/mqtt-socket.js'
import { again, take, DurableScene } from './durable-scene.js'

const COME = connect({ clientId: 'x', clean: false })

/** How a client comes and leaves at once. */
const LEAVINGS: Readonly<Record<string, (client: MqttSocket) => Promise<unknown>>> = {
  'says DISCONNECT with its CONNECT': client => {
    client.send(COME, DISCONNECT)
    return client.untilClosed()
  },
  'resets the connection after its CONNECT': async client => {
    client.send(COME)
    client.reset()
  },
  'resets the connection at CONNACK': async client => {
    client.send(COME)
    await client.next()
    client.reset()
  }
}

describe('a durable session whose client comes and leaves at once', () => {
  const scene = new DurableScene()

  afterEach(() => scene.stop())

  for (const [how, leave] of Object.entries(LEAVINGS))
    it(`keeps packet ids where the client ${how} [MQTT3-4.4.0-1]`, async () => {
      const gateways = [await scene.start(), await scene.start()] as const
      const [first] = gateways
      const client = await scene.subscribed(first)
      await scene.send(first, '1', '2', '3')
      const sent = await take(client, 3)
      // the last two: so that fresh ids would be others
      client.send(Buffer.from([0x40, 2, 0, sent[0]?.packetId ?? 0]))
      await client.untilPong()
      client.reset()
      for (let round = 0; round < 10; round++) await leave(await gateways[round % 2 === 0 ? 1 : 0].open())
      const last = await scene.come(first, true)
      assert.deepEqual(await take(last, 2), again(sent.slice(1)))
      assert.equal((await scene.records(first)).length, 1)
    })
})
