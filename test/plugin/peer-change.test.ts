// `services.peer` changes in a space that runs: it starts again, and what it keeps is there as before.

import assert from 'node:assert/strict'
import { changedSpace, mqttOptions, RunningGateway } from '../fixtures/gateway.js'
import { connect, puback } from '../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../fixtures/mqtt-socket.js'

const IDS = ['plain', 'a/b']

describe('a change of services.peer', () => {
  let gateway: RunningGateway

  beforeEach(async () => {
    gateway = await RunningGateway.start()
  })
  afterEach(() => gateway.stop())

  async function change(peer: 'ours' | 'original'): Promise<void> {
    const mqtt = mqttOptions({ services: { peer } })
    await gateway.hooks.addressSpaceChanged(changedSpace(gateway.space, { mqtt }))
    assert.equal(gateway.status()?.state, 'ready')
  }

  async function come(clientId: string, sessionPresent: boolean): Promise<MqttSocket> {
    const client = await gateway.openWith(connect({ clientId, clean: false }))
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent, returnCode: 0 })
    return client
  }

  async function send(payload: string): Promise<void> {
    const publisher = await gateway.connect('publisher')
    await publisher.publish('t/x', payload)
    await publisher.disconnect()
  }

  it('ends the clients of the space, and keeps durable sessions with what waits for them, there and back', async () => {
    const clients = await Promise.all(IDS.map(clientId => come(clientId, false)))
    for (const client of clients) {
      assert.deepEqual(await client.subscribe(['t/#', 1]), [1])
      await client.disconnect()
    }
    const connected = await gateway.connect('connected')
    for (const peer of ['original', 'ours'] as const) {
      await send(`before ${peer}`)
      await change(peer)
      await send(`after ${peer}`)
      for (const clientId of IDS) {
        const client = await come(clientId, true)
        for (const payload of [`before ${peer}`, `after ${peer}`]) {
          const packet = await client.nextPublish()
          assert.equal(packet.payload, payload)
          client.send(puback(packet.packetId ?? 0))
        }
        await client.disconnect()
      }
    }
    await connected.untilClosed()
    const queues = await gateway.space.queues.list('$mqtt.to.')
    assert.deepEqual([...queues].sort(), ['$mqtt.to.a%2Fb.publish', '$mqtt.to.plain.publish'])
    assert.equal((await gateway.space.routes.list('$mqtt.to.a/b.publish')).length, 0)
  })

  it('leaves those that are connected where nothing about it changed', async () => {
    const client = await gateway.connect('x')
    await change('ours')
    assert.deepEqual(await client.untilPong(), [])
  })
})
