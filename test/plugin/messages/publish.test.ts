// Any AMQP message as a publication, and a publication as AMQP_PUBLISH.
import assert from 'node:assert/strict'
import { EncodedMessage, encodeMessage } from '../../../adapters/rhea/message.js'
import type { AmqpValue, Message, MessageBody } from '../../../plugin/host.js'
import { payloadOf, toJson } from '../../../plugin/messages/body.js'
import type { Publication } from '../../../plugin/messages/publication.js'
import { decodePublication, encodePublication } from '../../../plugin/messages/publish.js'

const text = (body: MessageBody): string => Buffer.from(payloadOf(body).payload).toString()
const value = (item: AmqpValue): MessageBody => ({ type: 'value', value: item })

const message = (fields: Partial<Message>): Message => ({
  durable: false,
  deliveryCount: 0,
  annotations: new Map(),
  properties: {},
  applicationProperties: new Map(),
  body: { type: 'none' },
  ...fields
})

/** As a host hands it out that keeps bytes. */
const received = (publication: Publication): Message =>
  new EncodedMessage(encodeMessage(encodePublication(publication)).bytes)

const from = { address: '#', exact: false, deliveryCount: 0 }

const publication: Publication = {
  topic: 'sport/tennis',
  payload: Buffer.from('15:0'),
  qos: 1,
  retain: false,
  dup: false,
  packetId: 7,
  uid: Buffer.from('0123456789abcdef'),
  clientId: 'umpire'
}

describe('the body of a message as a payload', () => {
  it('is its data sections, one after the other', () => {
    assert.equal(text({ type: 'data', sections: [Buffer.from('ab'), Buffer.from('c')] }), 'abc')
    assert.equal(text({ type: 'data', sections: [] }), '')
    assert.equal(text({ type: 'none' }), '')
  })

  it('is text, bytes or nothing for a string, binary or null', () => {
    assert.equal(text(value('é')), 'é')
    assert.equal(payloadOf(value('é')).payloadFormat, 1)
    assert.equal(text(value(Buffer.from('raw'))), 'raw')
    assert.equal(text(value(null)), '')
  })

  it('is JSON for all else, and says so', () => {
    const map = new Map<AmqpValue, AmqpValue>([
      ['2', true],
      ['1', [1, 'x', null]],
      ['__proto__', 3]
    ])
    assert.equal(text(value(map)), '{"2":true,"1":[1,"x",null],"__proto__":3}')
    assert.equal(payloadOf(value(map)).contentType, 'application/json')
    assert.equal(text(value(2n ** 63n)), '9223372036854775808')
    assert.equal(text(value(false)), 'false')
    assert.equal(text({ type: 'sequence', sections: [[1, 2], ['a']] }), '[1,2,"a"]')
  })

  it('writes what JSON has no form for', () => {
    assert.equal(toJson(NaN), 'null')
    assert.equal(toJson(Buffer.from('hi')), '"aGk="')
    assert.equal(toJson({ type: 'timestamp', value: 0 }), '"1970-01-01T00:00:00.000Z"')
    const uuid = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
    assert.equal(toJson({ type: 'uuid', value: uuid }), '"00112233-4455-6677-8899-aabbccddeeff"')
    assert.equal(toJson(new Map([[5, 1]])), '{"5":1}')
  })
})

describe('AMQP_PUBLISH', () => {
  it('carries QoS as int, retain as boolean, uid, packet id and topic', () => {
    const encoded = received(publication)
    assert.equal(encoded.durable, true)
    assert.equal(encoded.properties.to, 'sport/tennis')
    assert.equal(encoded.properties.messageId, 7)
    assert.equal(encoded.annotations.get('x-opt-mqtt-qos'), 1)
    assert.equal(encoded.annotations.get('x-opt-retain-message'), false)
    assert.deepEqual(Buffer.from(encoded.annotations.get('x-opt-mqtt-uid') as Uint8Array), publication.uid)
  })

  it('comes back as the publication, from bytes and in one process', () => {
    for (const message of [received(publication), encodePublication(publication)]) {
      const back = decodePublication(message, from)
      assert.equal(back.topic, publication.topic)
      assert.equal(Buffer.from(back.payload).toString(), '15:0')
      assert.deepEqual(
        [back.qos, back.retain, back.dup, back.packetId, back.clientId],
        [1, false, false, 7, 'umpire']
      )
    }
  })

  it('does not tell subscribers of the DUP flag of the publisher [MQTT3-3.3.1-3]', () => {
    for (const message of [
      received({ ...publication, dup: true }),
      encodePublication({ ...publication, dup: true })
    ]) {
      assert.equal(message.deliveryCount, 1)
      assert.equal(decodePublication(message, { ...from, deliveryCount: 1 }).dup, false)
      assert.equal(decodePublication(message, { ...from, deliveryCount: 2 }).dup, true)
    }
  })
})

describe('a message of an AMQP client as a publication', () => {
  const topicOf = (fields: Partial<Message>, address = 'queue'): string =>
    decodePublication(message(fields), { address, exact: false, deliveryCount: 0 }).topic

  it('has its topic from where it was sent first, then from its to, then from where it came', () => {
    const annotations = new Map([
      ['x-opt-ORIG-ADDRESS', 'a'],
      ['_AMQ_ORIG_ADDRESS', 'b']
    ])
    const applicationProperties = new Map([['_AMQ_ORIG_ADDRESS', 'c']])
    assert.equal(topicOf({ annotations, applicationProperties, properties: { to: 'd' } }), 'a')
    assert.equal(topicOf({ annotations: new Map([['_AMQ_ORIG_ADDRESS', 'b']]), applicationProperties }), 'b')
    assert.equal(topicOf({ applicationProperties, properties: { to: 'd' } }), 'c')
    assert.equal(topicOf({ properties: { to: 'd' } }), 'd')
    assert.equal(topicOf({ properties: { to: '$mqtt.to.x.publish' } }, 'e'), 'e')
  })

  it('has the topic it was received at, whatever it claims, where that is no filter', () => {
    const forged = message({ annotations: new Map([['x-opt-ORIG-ADDRESS', 'other']]) })
    assert.equal(decodePublication(forged, { address: 'a/b', exact: true, deliveryCount: 0 }).topic, 'a/b')
  })

  it('has QoS 1 when durable and 0 when not, unless it says otherwise', () => {
    const qosOf = (fields: Partial<Message>): number => decodePublication(message(fields), from).qos
    assert.equal(qosOf({ durable: true }), 1)
    assert.equal(qosOf({}), 0)
    assert.equal(qosOf({ annotations: new Map([['x-opt-mqtt-qos', 2]]) }), 2)
    assert.equal(qosOf({ durable: true, annotations: new Map([['x-opt-mqtt-qos', 9]]) }), 1)
    assert.equal(qosOf({ applicationProperties: new Map([['mqtt.qos.level', 2]]) }), 2)
  })
})
