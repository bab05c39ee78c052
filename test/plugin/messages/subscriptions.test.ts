// AMQP_SUBSCRIPTIONS: what we write, and what an original's reply means.
import assert from 'node:assert/strict'
import { EncodedMessage, encodeMessage } from '../../../adapters/rhea/message.js'
import { decodeSubscriptions, encodeSubscriptions } from '../../../plugin/messages/subscriptions.js'

const reply = {
  correlationId: '$mqtt.to.c%2F1.publish',
  connection: 'now',
  previousConnection: 'before',
  sessionPresent: true,
  filters: new Map([
    ['a/#', 2],
    ['b', 0]
  ] as const)
}

describe('AMQP_SUBSCRIPTIONS', () => {
  it('comes back as it was written, through bytes', () => {
    const { bytes } = encodeMessage(encodeSubscriptions('$mqtt.gw.1.control', reply))
    assert.deepEqual(decodeSubscriptions(new EncodedMessage(bytes)), { ...reply, clientId: 'c/1' })
  })

  it('has QoS as strings, the only form that originals read', () => {
    const { body, properties } = encodeSubscriptions('there', reply)
    assert.equal(properties.to, 'there')
    assert.deepEqual(body, {
      type: 'value',
      value: new Map([
        ['a/#', '2'],
        ['b', '0']
      ])
    })
  })

  it('of an original tells of a session by its entries', () => {
    const original = (filters: ReadonlyMap<string, 0 | 1 | 2>): boolean | undefined => {
      const message = encodeSubscriptions('there', { ...reply, filters })
      return decodeSubscriptions({ ...message, applicationProperties: new Map() })?.sessionPresent
    }
    assert.equal(original(new Map()), false)
    assert.equal(original(new Map([['a', 1]])), true)
  })

  it('is nothing else that comes to a control address', () => {
    const message = encodeSubscriptions('there', reply)
    const { properties } = message
    assert.equal(
      decodeSubscriptions({ ...message, properties: { ...properties, subject: 'disconnect' } }),
      undefined
    )
    assert.equal(
      decodeSubscriptions({ ...message, properties: { ...properties, correlationId: 'x' } }),
      undefined
    )
    assert.equal(decodeSubscriptions({ ...message, body: { type: 'none' } }), undefined)
  })
})
