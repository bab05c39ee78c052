// MQTT.js with the program.

import assert from 'node:assert/strict'

import { RunningProgram } from '../fixtures/program.js'
import { MqttJsClient } from './clients/mqtt-js.js'

describe('interop: MQTT.js', () => {
  const server = new RunningProgram()
  before(() => server.start())
  after(() => server.end())

  it('delivers at the lower of published and granted QoS', async () => {
    const publisher = await MqttJsClient.connect(server.mqttPort)
    const subscriber = await MqttJsClient.connect(server.mqttPort)
    assert.deepEqual(await subscriber.subscribe('q/0', 0), [0])
    assert.deepEqual(await subscriber.subscribe('q/1', 1), [1])
    for (const published of [0, 1] as const) {
      for (const granted of [0, 1] as const) {
        await publisher.publish(`q/${granted}`, `${published}`, published)
        const { topic, payload, qos, retain, dup } = await subscriber.received.next()
        assert.deepEqual(
          { topic, payload: payload.toString(), qos, retain, dup },
          {
            topic: `q/${granted}`,
            payload: `${published}`,
            qos: Math.min(published, granted),
            retain: false,
            dup: false
          }
        )
      }
    }
    await publisher.end()
    await subscriber.end()
  })

  it('gives a client a publication once, though two of its filters match', async () => {
    const client = await MqttJsClient.connect(server.mqttPort)
    assert.deepEqual(await client.subscribe(['o/#', 'o/+', 'end'], 1), [1, 1, 1])
    await client.publish('o/1', 'once', 1)
    await client.publish('end', '', 1)
    const topics = (await client.received.take(2)).map(({ topic }) => topic)
    assert.deepEqual(topics, ['o/1', 'end'])
    await client.end()
  })

  it('delivers nothing of a topic after UNSUBSCRIBE', async () => {
    const client = await MqttJsClient.connect(server.mqttPort)
    await client.subscribe(['u', 'end'], 1)
    await client.client.unsubscribeAsync('u')
    await client.publish('u', 'late', 1)
    await client.publish('end', '', 1)
    assert.equal((await client.received.next()).topic, 'end')
    await client.end()
  })

  it('carries bytes, empty payloads and topics in any script', async () => {
    const client = await MqttJsClient.connect(server.mqttPort)
    const topics = ['/', 'a//b', ' ', '\u6e29\u5ea6/\u{1f321}', 'x'.repeat(1000)]
    const payload = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    await client.subscribe('#', 1)
    for (const topic of topics) await client.publish(topic, payload, 1)
    await client.publish('empty', '', 1)
    const received = await client.received.take(topics.length + 1)
    assert.deepEqual(
      received.map(({ topic }) => topic),
      [...topics, 'empty']
    )
    assert.ok(received.slice(0, -1).every(item => item.payload.equals(payload)))
    assert.equal(received.at(-1)?.payload.length, 0)
    await client.end()
  })

  it('carries thousands of publications of several publishers, in the order of each', async () => {
    const subscriber = await MqttJsClient.connect(server.mqttPort)
    await subscriber.subscribe('flow/+', 1)
    const count = 1000
    const publishers = ['a', 'b', 'c']
    await Promise.all(
      publishers.map(async name => {
        const publisher = await MqttJsClient.connect(server.mqttPort)
        await Promise.all(
          Array.from({ length: count }, (_, i) => publisher.publish(`flow/${name}`, `${i}`, 1))
        )
        await publisher.end()
      })
    )
    const received = await subscriber.received.take(count * publishers.length)
    for (const name of publishers) {
      const payloads = received
        .filter(({ topic }) => topic === `flow/${name}`)
        .map(item => Number(item.payload))
      assert.deepEqual(
        payloads,
        Array.from({ length: count }, (_, i) => i)
      )
    }
    await subscriber.end()
  })

  it('ends the older of two connections with one client id', async () => {
    const first = await MqttJsClient.connect(server.mqttPort, { clientId: 'twin' })
    const closed = new Promise<void>(resolve => first.client.once('close', () => resolve()))
    const second = await MqttJsClient.connect(server.mqttPort, { clientId: 'twin' })
    await closed
    await second.subscribe('twin', 1)
    await second.publish('twin', 'alive', 1)
    assert.equal((await second.received.next()).payload.toString(), 'alive')
    await second.end()
  })
})
