// Publications of MQTT clients reach AMQP receivers, by topic and by wildcard, as AMQP_PUBLISH (protocol.md, section 2).

import assert from 'node:assert/strict'

import { RunningProgram } from '../fixtures/program.js'
import { MqttJsClient } from './clients/mqtt-js.js'
import { ProtonClient } from './clients/proton.js'
import { RheaClient } from './clients/rhea.js'
import { need } from './tools.js'

describe('interop: MQTT publications to AMQP receivers', () => {
  const server = new RunningProgram()
  let publisher: MqttJsClient

  before(() => server.start())
  before(async () => {
    publisher = await MqttJsClient.connect(server.mqttPort)
  })
  after(async () => {
    await publisher.end()
    await server.end()
  })

  describe('with Proton', () => {
    let proton: ProtonClient

    before(need('proton'))
    before(async () => {
      proton = new ProtonClient()
      await proton.connect(server.amqpPort)
    })
    after(async () => {
      await proton?.end()
    })

    for (const address of ['p/kitchen/t', 'p/+/t', 'p/#']) {
      for (const qos of [0, 1] as const) {
        it(`delivers a publication with QoS ${qos} to a receiver on ${address}`, async () => {
          await proton.attach(address)
          const payload = Buffer.from([0, 1, 0xff, 0x80])
          await publisher.publish('p/kitchen/t', payload, qos)
          const received = await proton.receive(address)
          assert.equal(received.address, 'p/kitchen/t')
          assert.equal(received.subject, null)
          assert.equal(received.durable, qos > 0)
          assert.equal(received.inferred, true, 'a data section')
          assert.deepEqual(received.body, ['binary', payload.toString('hex')])
          const { annotations } = received
          assert.deepEqual(annotations['x-opt-mqtt-qos'], ['int32', qos])
          assert.deepEqual(annotations['x-opt-retain-message'], ['bool', false])
          const [type, uid] = annotations['x-opt-mqtt-uid'] ?? ['none', undefined]
          assert.equal(type, 'binary')
          assert.match(String(uid), /^[0-9a-f]{32}$/)
          await proton.detach(address)
        })
      }
    }
  })

  describe('with rhea', () => {
    let client: RheaClient

    before(async () => {
      client = await RheaClient.connect(server.amqpPort)
    })
    after(() => client?.close())

    it('delivers each publication once to each receiver that matches, with a uid of its own', async () => {
      const receivers = await Promise.all(['r/a', 'r/+', '#'].map(address => client.openReceiver(address)))
      await publisher.publish('r/a', 'one', 1)
      await publisher.publish('r/a', 'two', 1)
      for (const receiver of receivers) {
        const messages = await receiver.received.take(2)
        assert.deepEqual(
          messages.map(({ to }) => to),
          ['r/a', 'r/a']
        )
        const bodies = messages.map(({ body }) => String((body as { content: Buffer }).content))
        assert.deepEqual(bodies, ['one', 'two'])
        const uids = messages.map(found => String(found.message_annotations?.['x-opt-mqtt-uid']))
        assert.notEqual(uids[0], uids[1])
        await receiver.close()
      }
    })

    it('delivers an empty payload as a data section', async () => {
      const receiver = await client.openReceiver('r/empty')
      await publisher.publish('r/empty', '', 1)
      const { body } = await receiver.received.next()
      assert.equal((body as { typecode: number }).typecode, 0x75)
      assert.equal((body as { content: Buffer }).content.length, 0)
      await receiver.close()
    })

    it('gives a receiver on + or # nothing of the addresses that start with $', async () => {
      const receiver = await client.openReceiver('#')
      const requests = await client.openSender('$mqtt.subscriptionservice')
      await requests.send({ subject: 'close', correlation_id: '$mqtt.to.nobody.publish', body: null })
      await publisher.publish('r/end', 'end', 1)
      assert.equal((await receiver.received.next()).to, 'r/end')
      await requests.close()
      await receiver.close()
    })
  })
})
