// Messages of AMQP clients reach MQTT subscribers, whatever their body is (protocol.md, section 2).

import assert from 'node:assert/strict'

import rhea from 'rhea'

import { RunningProgram } from '../fixtures/program.js'
import { MqttJsClient } from './clients/mqtt-js.js'
import { ProtonClient } from './clients/proton.js'
import { RheaClient } from './clients/rhea.js'
import { need } from './tools.js'

const { types, message } = rhea

describe('interop: AMQP messages to MQTT subscribers', () => {
  const server = new RunningProgram()
  let subscriber: MqttJsClient

  before(() => server.start())
  before(async () => {
    subscriber = await MqttJsClient.connect(server.mqttPort)
    await subscriber.subscribe('body/#', 1)
  })
  after(async () => {
    await subscriber.end()
    await server.end()
  })

  describe('from Proton', () => {
    let proton: ProtonClient

    before(need('proton'))
    before(async () => {
      proton = new ProtonClient()
      await proton.connect(server.amqpPort)
    })
    after(async () => {
      await proton?.end()
    })

    const payloads: readonly (readonly [body: string, payload: string | Buffer])[] = [
      ['none', ''],
      ['data', Buffer.from('data \0\xff', 'latin1')],
      ['binary', Buffer.from('binary \0\xff', 'latin1')],
      ['string', 'string \u00e4\u20ac\u{1f600}'],
      ['int', '-7'],
      ['ulong', '18446744073709551615'],
      ['double', '1.5'],
      ['true', 'true'],
      ['list', '[1,"two",null,false]'],
      ['map', '{"a":1,"b":[2]}'],
      ['sequence', '[1,"two"]'],
      ['timestamp', '"1970-01-01T00:00:00.000Z"'],
      ['uuid', '"00112233-4455-6677-8899-aabbccddeeff"']
    ]
    for (const [body, payload] of payloads) {
      it(`delivers a body of the kind ${body}`, async () => {
        assert.deepEqual(await proton.send('body/proton', body), { state: 'accepted' })
        const received = await subscriber.received.next()
        assert.equal(received.topic, 'body/proton')
        assert.deepEqual(received.payload, Buffer.from(payload as string))
        assert.equal(received.qos, 0)
        assert.equal(received.retain, false)
      })
    }

    it('delivers a durable message at QoS 1, whatever its subject', async () => {
      await proton.send('body/proton', 'string', { durable: true, subject: 'pubrel' })
      const { qos, payload } = await subscriber.received.next()
      assert.equal(qos, 1)
      assert.equal(payload.toString(), 'string \u00e4\u20ac\u{1f600}')
    })

    it('delivers what a sender without an address sends to `to`', async () => {
      await proton.send('', 'data', { address: 'body/relayed' })
      assert.equal((await subscriber.received.next()).topic, 'body/relayed')
    })
  })

  describe('from rhea', () => {
    let client: RheaClient

    before(async () => {
      client = await RheaClient.connect(server.amqpPort)
    })
    after(() => client?.close())

    const bodies: readonly (readonly [kind: string, body: unknown, payload: string])[] = [
      ['one data section', message.data_section(Buffer.from('one')), 'one'],
      [
        'several data sections',
        message.data_sections(['one, ', 'two, ', 'three'].map(s => Buffer.from(s))),
        'one, two, three'
      ],
      ['an empty data section', message.data_section(Buffer.alloc(0)), ''],
      ['a string', 'text', 'text'],
      ['binary', Buffer.from('bytes'), 'bytes'],
      ['null', null, ''],
      ['an int', types.wrap_int(-42), '-42'],
      ['a long', types.wrap_long(2 ** 40), '1099511627776'],
      ['a double', types.wrap_double(0.25), '0.25'],
      ['true', true, 'true'],
      ['false', false, 'false'],
      ['a list', types.wrap_list([1, 'x', null]), '[1,"x",null]'],
      ['a map', types.wrap_map({ k: 'v', n: 1 }), '{"k":"v","n":1}'],
      ['one sequence section', message.sequence_section([1, 'x']), '[1,"x"]'],
      ['several sequence sections', message.sequence_sections([[1, 2], [3]]), '[1,2,3]']
    ]
    for (const [kind, body, payload] of bodies) {
      it(`delivers a body that is ${kind}`, async () => {
        const sender = await client.openSender('body/rhea')
        assert.deepEqual(await sender.send({ body }), { state: 'accepted', condition: undefined })
        const received = await subscriber.received.next()
        assert.equal(received.topic, 'body/rhea')
        assert.equal(received.payload.toString(), payload)
        await sender.close()
      })
    }

    it('takes QoS from the annotation before the durable flag', async () => {
      const sender = await client.openSender('body/rhea')
      const annotate = (qos: number) => ({ 'x-opt-mqtt-qos': types.wrap_int(qos) })
      await sender.send({ body: 'a', durable: true, message_annotations: annotate(0) })
      await sender.send({ body: 'b', durable: false, message_annotations: annotate(1) })
      const received = await subscriber.received.take(2)
      assert.deepEqual(
        received.map(({ qos }) => qos),
        [0, 1]
      )
      await sender.close()
    })
  })
})
