// Retained messages with clients that we did not write: from MQTT and AMQP publishers to subscribers that come later.

import assert from 'node:assert/strict'

import { RunningProgram } from '../fixtures/program.js'
import { mosquittoPub, MosquittoSub } from './clients/mosquitto.js'
import { MqttJsClient } from './clients/mqtt-js.js'
import { ProtonClient } from './clients/proton.js'
import { need } from './tools.js'

describe('interop: retained messages', () => {
  const server = new RunningProgram()
  before(() => server.start())
  after(() => server.end())

  describe('of mosquitto clients', () => {
    before(need('mosquitto'))

    const retain = async (topic: string, ...args: readonly string[]): Promise<void> => {
      const outcome = await mosquittoPub(server.mqttPort, ['-r', '-q', '1', '-t', topic, ...args])
      assert.deepEqual(outcome, { code: 0, stderr: '' })
    }

    it('come to a subscriber that was not there, and not when they were removed [MQTT3-3.3.1-6] [MQTT3-3.3.1-10]', async () => {
      await retain('m/1', '-m', 'one')
      await retain('m/2', '-m', 'gone')
      await retain('m/3', '-m', 'three')
      await retain('m/2', '-n')
      const sub = await MosquittoSub.start(server.mqttPort, ['-q', '1', '-t', 'm/+'])
      assert.deepEqual((await sub.lines.take(2)).sort(), ['m/1 1 1 one', 'm/3 1 1 three'])
      await retain('m/2', '-m', 'live')
      assert.deepEqual(await sub.lines.take(1), ['m/2 1 0 live'])
      await sub.stop()
    })

    it('come to a durable subscriber, and what came while it was away is not retained', async () => {
      await retain('d/1', '-m', 'kept')
      const args = ['-c', '-i', 'keeper', '-q', '1', '-t', 'd/#']
      const before = await MosquittoSub.start(server.mqttPort, args)
      assert.deepEqual(await before.lines.take(1), ['d/1 1 1 kept'])
      await before.stop()
      await retain('d/1', '-m', 'newer')
      const again = await MosquittoSub.start(server.mqttPort, args)
      // it subscribes again, so that the retained one comes as well
      assert.deepEqual(await again.lines.take(2), ['d/1 1 0 newer', 'd/1 1 1 newer'])
      await again.stop()
    })
  })

  it('of MQTT.js come with RETAIN, once for each SUBSCRIBE [MQTT3-3.8.4-3]', async () => {
    const publisher = await MqttJsClient.connect(server.mqttPort)
    await publisher.publish('js/a', 'x', 1, { retain: true })
    await publisher.publish('js/b', 'y', 0, { retain: true })
    await publisher.end()
    const subscriber = await MqttJsClient.connect(server.mqttPort)
    for (const qos of [1, 0] as const) {
      assert.deepEqual(await subscriber.subscribe('js/#', qos), [qos])
      const got = await subscriber.received.take(2)
      assert.deepEqual(
        got
          .map(({ topic, payload, qos: level, retain, dup }) => [topic, `${payload}`, level, retain, dup])
          .sort(),
        [
          ['js/a', 'x', qos, true, false],
          ['js/b', 'y', 0, true, false]
        ]
      )
    }
    await subscriber.end()
  })

  describe('of Proton', () => {
    let proton: ProtonClient
    before(need('proton'))
    before(async () => {
      proton = new ProtonClient()
      await proton.connect(server.amqpPort)
    })
    after(() => proton?.end())

    it('are those that have the annotation, and go with an empty one [MQTT3-3.3.1-5] [MQTT3-3.3.1-11]', async () => {
      const annotations = { 'x-opt-retain-message': true }
      await proton.send('proton/kept', 'string', { annotations, durable: true })
      await proton.send('proton/removed', 'string', { annotations, durable: true })
      await proton.send('proton/removed', 'none', { annotations, durable: true })
      await proton.send('proton/plain', 'string', { durable: true })
      const subscriber = await MqttJsClient.connect(server.mqttPort)
      await subscriber.subscribe('proton/#', 1)
      const { topic, payload, qos, retain } = await subscriber.received.next()
      assert.deepEqual(
        [topic, `${payload}`, qos, retain],
        ['proton/kept', 'string \u00e4\u20ac\u{1f600}', 1, true]
      )
      await proton.send('proton/end', 'string', { durable: true })
      assert.equal((await subscriber.received.next()).topic, 'proton/end')
      await subscriber.end()
    })
  })
})
