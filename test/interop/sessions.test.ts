// Sessions that outlive their connections, with clients that we did not write: over restarts, deaths, and from MQTT to AMQP and back.

import assert from 'node:assert/strict'

import { RunningProgram } from '../fixtures/program.js'
import { mosquittoPub, MosquittoSub } from './clients/mosquitto.js'
import { MqttJsClient } from './clients/mqtt-js.js'
import { PahoClient } from './clients/paho.js'
import { ProtonClient } from './clients/proton.js'
import { need } from './tools.js'

describe('interop: persistent sessions', () => {
  const server = new RunningProgram()
  before(() => server.start())
  after(() => server.end())

  const restart = async (how: 'stopped' | 'killed'): Promise<void> => {
    if (how === 'stopped') assert.deepEqual(await server.stop(), { code: 0, signal: null })
    else await server.program.kill()
    await server.start()
  }

  for (const how of ['stopped', 'killed'] as const) {
    describe(`of a server that is ${how} and starts again`, () => {
      it(`have what was queued for mosquitto_sub -c, in order [MQTT3-3.1.2-5]`, async function () {
        need('mosquitto').call(this)
        const id = `mosquitto-${how}`
        const args = ['-c', '-i', id, '-q', '1', '-t', `${id}/#`]
        await (await MosquittoSub.start(server.mqttPort, args)).stop()
        const payloads = Array.from({ length: 50 }, (_, i) => `line ${i}`)
        const publish = ['-q', '1', '-t', `${id}/x`, '-l']
        const before = payloads.slice(0, 30)
        await mosquittoPub(server.mqttPort, publish, before.map(line => `${line}\n`).join(''))
        await restart(how)
        const after = payloads.slice(30)
        await mosquittoPub(server.mqttPort, publish, after.map(line => `${line}\n`).join(''))
        const again = await MosquittoSub.start(server.mqttPort, args)
        assert.deepEqual(
          await again.lines.take(payloads.length),
          payloads.map(payload => `${id}/x 1 0 ${payload}`)
        )
        await again.stop()
      })

      it('are there for MQTT.js, with what it subscribed to [MQTT3-3.2.2-2]', async () => {
        const clientId = `js-${how}`
        const first = await come(clientId)
        assert.equal(first.sessionPresent, false)
        await first.subscribe([`${clientId}/a`, `${clientId}/b`], 1)
        await first.subscribe(`${clientId}/c`, 0)
        await first.end()
        await publish(`${clientId}/a`, 'one')
        await restart(how)
        await publish(`${clientId}/b`, 'two')
        await publish(`${clientId}/c`, 'with QoS 0')
        const second = await come(clientId)
        assert.equal(second.sessionPresent, true)
        const got = (await second.received.take(3)).map(({ payload, qos, dup, retain }) => [
          String(payload),
          qos,
          dup,
          retain
        ])
        assert.deepEqual(got, [
          ['one', 1, false, false],
          ['two', 1, false, false],
          ['with QoS 0', 0, false, false]
        ])
        await second.end()
        const clean = await come(clientId, true)
        assert.equal(clean.sessionPresent, false)
        await clean.end()
        const fresh = await come(clientId)
        assert.equal(fresh.sessionPresent, false)
        await fresh.end()
      })

      it('keep retained messages [MQTT3-3.3.1-5]', async function () {
        need('mosquitto').call(this)
        const topic = (name: string): string => `retained-${how}/${name}`
        await publish(topic('kept'), 'kept', true)
        await publish(topic('removed'), 'removed', true)
        await publish(topic('removed'), '', true)
        await restart(how)
        const subscriber = await MosquittoSub.start(server.mqttPort, ['-q', '1', '-t', topic('+')])
        assert.deepEqual(await subscriber.lines.take(1), [`${topic('kept')} 1 1 kept`])
        await publish(topic('last'), '')
        assert.deepEqual(await subscriber.lines.take(1), [`${topic('last')} 1 0 `])
        await subscriber.stop()
      })
    })
  }

  describe('of paho-mqtt', () => {
    before(need('paho'))

    it('send again, with DUP and its packet id, what it had and did not acknowledge [MQTT3-4.4.0-1]', async () => {
      const victim = await PahoClient.connect(server.mqttPort, 'victim', false)
      assert.equal(victim.sessionPresent, false)
      assert.deepEqual(await victim.subscribe('victim/#', 1), [1])
      await publish('victim/1', 'acknowledged')
      assert.equal((await victim.received.next()).payload, 'acknowledged')
      await victim.hold()
      for (const payload of ['one', 'two', 'three']) await publish('victim/1', payload)
      const held = await victim.received.next()
      assert.deepEqual([held.payload, held.dup], ['one', false])
      await victim.kill()
      const again = await PahoClient.connect(server.mqttPort, 'victim', false)
      assert.equal(again.sessionPresent, true)
      const [first, ...rest] = await again.received.take(3)
      assert.deepEqual(first, { ...held, dup: true })
      // these were on their way to it
      assert.deepEqual(
        rest.map(({ payload, dup }) => [payload, dup]),
        [
          ['two', true],
          ['three', true]
        ]
      )
      await again.end()
      const empty = await PahoClient.connect(server.mqttPort, 'victim', false)
      await publish('victim/end', 'end')
      assert.equal((await empty.received.next()).payload, 'end')
      await empty.end()
    })

    it('get what it set and removed as retained, in MQTT and in AMQP [MQTT3-3.3.1-6] [MQTT3-3.3.1-10]', async function () {
      need('proton').call(this)
      const paho = await PahoClient.connect(server.mqttPort, 'setter', false)
      await paho.publish('set/one', 'old', true)
      await paho.publish('set/one', 'new', true)
      await paho.publish('set/two', 'gone', true)
      await paho.publish('set/two', '', true)
      await paho.subscribe('set/+', 1)
      const { topic, payload, retain } = await paho.received.next()
      assert.deepEqual([topic, payload, retain], ['set/one', 'new', true])
      await paho.publish('set/two', 'live')
      const live = await paho.received.next()
      assert.deepEqual([live.topic, live.payload, live.retain], ['set/two', 'live', false])
      await paho.end()
      const proton = new ProtonClient()
      await proton.connect(server.amqpPort)
      await proton.attach('$retain.set/one')
      const { body, annotations } = await proton.receive('$retain.set/one')
      assert.deepEqual(body, ['binary', Buffer.from('new').toString('hex')])
      assert.deepEqual(annotations['x-opt-mqtt-retained'], ['bool', true])
      await proton.end()
    })
  })

  describe('of one id in MQTT and in AMQP', () => {
    const SERVICE = '$mqtt.subscriptionservice'
    let proton: ProtonClient
    before(need('proton'))
    before(async () => {
      proton = new ProtonClient()
      await proton.connect(server.amqpPort)
    })
    after(() => proton?.end())

    const text = async (address: string): Promise<string> => {
      const [, value] = (await proton.receive(address)).body
      return Buffer.from(String(value), 'hex').toString()
    }

    it('go on in AMQP where MQTT left off, and back', async () => {
      const queue = '$mqtt.to.both.publish'
      const first = await come('both')
      await first.subscribe('both/mqtt', 1)
      await first.end()
      await publish('both/mqtt', 'for AMQP')
      await proton.attach(queue)
      assert.equal(await text(queue), 'for AMQP')
      const request = { subject: 'subscribe', correlationId: queue, body: { 'both/amqp': '1' } }
      assert.deepEqual(await proton.request(SERVICE, request), { state: 'accepted' })
      await publish('both/amqp', 'while it is there')
      assert.equal(await text(queue), 'while it is there')
      await proton.detach(queue)
      await publish('both/amqp', 'for MQTT')
      await publish('both/mqtt', 'for MQTT too')
      const second = await come('both')
      assert.equal(second.sessionPresent, true)
      const got = await second.received.take(2)
      assert.deepEqual(
        got.map(({ topic, payload }) => [topic, String(payload)]),
        [
          ['both/amqp', 'for MQTT'],
          ['both/mqtt', 'for MQTT too']
        ]
      )
      await second.end()
    })

    it('begin in AMQP, and end in MQTT', async () => {
      const queue = '$mqtt.to.begun.publish'
      const body = { 'begun/#': '1' }
      await proton.request(SERVICE, { subject: 'subscribe', correlationId: queue, body })
      await publish('begun/x', 'queued')
      const client = await come('begun')
      assert.equal(client.sessionPresent, true)
      assert.equal(String((await client.received.next()).payload), 'queued')
      await client.end()
      await (await come('begun', true)).end()
      await assert.rejects(proton.attach(queue), /amqp:not-found/)
    })
  })

  const come = (clientId: string, clean = false): Promise<MqttJsClient> =>
    MqttJsClient.connect(server.mqttPort, { clientId, clean })

  async function publish(topic: string, payload: string, retain = false): Promise<void> {
    const publisher = await MqttJsClient.connect(server.mqttPort)
    await publisher.publish(topic, payload, 1, { retain })
    await publisher.end()
  }
})
