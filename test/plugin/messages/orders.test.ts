// Orders to a control address: what is written is read, and nothing else counts.

import assert from 'node:assert/strict'
import { EncodedMessage, encodeMessage } from '../../../adapters/rhea/message.js'
import { decodeDisconnect, encodeDisconnect } from '../../../plugin/messages/orders.js'

const ORDER = { clientId: 'a/ü', connection: 'c1', reason: 0x8e }

describe('orders to a control address', () => {
  const message = encodeDisconnect('$mqtt.gw.x.control', ORDER)

  it('come back as they were written, through bytes', () => {
    assert.deepEqual(decodeDisconnect(new EncodedMessage(encodeMessage(message).bytes)), ORDER)
    assert.equal(message.properties.to, '$mqtt.gw.x.control')
  })

  it('count only with their subject, client and connection', () => {
    const { properties, applicationProperties } = message
    for (const wrong of [
      { ...message, properties: { ...properties, subject: 'connect' } },
      { ...message, properties: { ...properties, correlationId: '$mqtt.to.a.control' } },
      { ...message, properties: { ...properties, correlationId: undefined } },
      { ...message, applicationProperties: new Map([['reason', 0x8e]]) }
    ])
      assert.equal(decodeDisconnect(wrong), undefined)
    const reasonless = new Map([...applicationProperties].filter(([name]) => name !== 'reason'))
    assert.equal(decodeDisconnect({ ...message, applicationProperties: reasonless })?.reason, 0x80)
  })
})
