// A pure AMQP client subscribes through the Subscription Service, with no MQTT at all (protocol.md, sections 2, 3 and 5).

import assert from 'node:assert/strict'

import { RunningProgram } from '../fixtures/program.js'
import { MqttJsClient } from './clients/mqtt-js.js'
import { ProtonPureClient, RheaPureClient, type PureAmqpClient } from './clients/pure-amqp.js'
import { need } from './tools.js'

const SERVICE = '$mqtt.subscriptionservice'

function describeService(library: string, makeClient: () => PureAmqpClient, id: string): void {
  describe(`with ${library}`, () => {
    const server = new RunningProgram()
    const control = `$mqtt.to.${id}.control`
    const queue = `$mqtt.to.${id}.publish`
    let client: PureAmqpClient

    const list = async () => {
      const request = { subject: 'list', correlationId: queue, replyTo: control }
      assert.equal(await client.request(SERVICE, request), 'accepted')
      return await client.receive(control)
    }
    const request = (subject: string, body?: unknown, address = SERVICE) =>
      client.request(address, { subject, correlationId: queue, body })
    const publish = async (...entries: readonly (readonly [topic: string, payload: string])[]) => {
      const publisher = await MqttJsClient.connect(server.mqttPort)
      for (const [topic, payload] of entries) await publisher.publish(topic, payload, 1)
      await publisher.end()
    }
    const receive = async (count: number) => {
      const received: [unknown, unknown][] = []
      while (received.length < count) {
        const { to, body } = await client.receive(queue)
        received.push([to, body])
      }
      return received
    }

    if (library === 'Proton') before(need('proton'))
    before(async () => {
      await server.start()
      client = makeClient()
      await client.connect(server.amqpPort)
      await client.attach(control)
    })
    after(async () => {
      await client?.end()
      await server.end()
    })

    it('answers AMQP_LIST of a client it does not know with no session and an empty map', async () => {
      const reply = await list()
      assert.equal(reply.subject, 'subscriptions')
      assert.equal(reply.to, control)
      assert.equal(reply.correlationId, queue)
      assert.equal(reply.sessionPresent, false)
      assert.deepEqual(reply.body, {})
    })

    it('delivers what matches after AMQP_SUBSCRIBE', async () => {
      assert.equal(await request('subscribe', { 's/+': '1', 't/#': '0' }), 'accepted')
      await client.attach(queue)
      await publish(['s/1', 'one'], ['s/1/2', 'no'], ['t', 'two'], ['other', 'no'], ['t/a/b', 'three'])
      assert.deepEqual(await receive(3), [
        ['s/1', 'one'],
        ['t', 'two'],
        ['t/a/b', 'three']
      ])
    })

    it('gives a message once, though two filters match', async () => {
      assert.equal(await request('subscribe', { 's/#': '1' }), 'accepted')
      await publish(['s/1', 'once'], ['s/end', 'end'])
      assert.deepEqual(await receive(2), [
        ['s/1', 'once'],
        ['s/end', 'end']
      ])
    })

    it('keeps subscriptions and messages while client and server are away', async () => {
      await client.disconnect()
      await publish(['s/1', 'a'], ['t/1', 'b'])
      assert.deepEqual(await server.stop(), { code: 0, signal: null })
      await server.start()
      await publish(['s/1', 'c'])

      await client.connect(server.amqpPort)
      await client.attach(control)
      const reply = await list()
      assert.equal(reply.sessionPresent, true)
      assert.deepEqual(reply.body, { 's/+': '1', 's/#': '1', 't/#': '0' })
      await client.attach(queue)
      await publish(['s/1', 'd'])
      assert.deepEqual(await receive(4), [
        ['s/1', 'a'],
        ['t/1', 'b'],
        ['s/1', 'c'],
        ['s/1', 'd']
      ])
    })

    it('delivers no more of a filter after AMQP_UNSUBSCRIBE', async () => {
      assert.equal(await request('unsubscribe', ['s/+', 's/#', 'never/asked']), 'accepted')
      await publish(['s/1', 'late'], ['t/end', 'end'])
      assert.deepEqual(await receive(1), [['t/end', 'end']])
      assert.deepEqual((await list()).body, { 't/#': '0' })
    })

    it('rejects what it cannot read, names the condition, and keeps the link', async () => {
      assert.equal(await request('frobnicate'), 'rejected amqp:not-implemented')
      assert.equal(await request('subscribe', 7), 'rejected amqp:decode-error')
      assert.equal(await request('subscribe', { 'a/#/b': '1' }), 'rejected amqp:precondition-failed')
      assert.equal(
        await request('subscribe', { '$mqtt.to.other.publish': '1' }),
        'rejected amqp:unauthorized-access'
      )
      assert.equal(
        await client.request(SERVICE, { subject: 'close', correlationId: 'nonsense' }),
        'rejected amqp:decode-error'
      )
      assert.deepEqual((await list()).body, { 't/#': '0' })
    })

    it('answers on its other address too', async () => {
      assert.equal(await request('subscribe', { u: '1' }, '$subctrl'), 'accepted')
      await publish(['u', 'heard'])
      assert.deepEqual(await receive(1), [['u', 'heard']])
    })

    it('removes queue and subscriptions on AMQP_CLOSE', async () => {
      await client.detach(queue)
      assert.equal(await request('close'), 'accepted')
      await client.disconnect()
      await client.connect(server.amqpPort)
      await assert.rejects(client.attach(queue), /amqp:not-found/)
      await client.attach(control)
      const reply = await list()
      assert.equal(reply.sessionPresent, false)
      assert.deepEqual(reply.body, {})
    })
  })
}

describe('interop: the Subscription Service for pure AMQP clients', () => {
  describeService('rhea', () => new RheaPureClient(), 'pure-rhea')
  describeService('Proton', () => new ProtonPureClient(), 'pure-proton')
})
