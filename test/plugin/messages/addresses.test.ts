// Addresses of clients: which client id they stand for, and that none stands for another's.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  controlAddress,
  decodeClientAddress,
  decodeClientId,
  encodeClientId,
  isGatewayControlAddress,
  isOwnedAddress,
  publishAddress,
  pubrelAddress
} from '../../../plugin/messages/addresses.js'

const clientIds = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1 }),
  fc.constantFrom(
    'to',
    'gw',
    'store',
    'reply',
    'sub',
    'lwtservice',
    'willservice',
    'subscriptionservice',
    'a.b',
    '%41',
    '+',
    '#',
    '*'
  )
)

describe('client addresses', () => {
  it('leave plain ids as they are', () => {
    assert.equal(publishAddress('sensor_7-B'), '$mqtt.to.sensor_7-B.publish')
    assert.equal(controlAddress('sensor_7-B'), '$mqtt.to.sensor_7-B.control')
    assert.equal(pubrelAddress('sensor_7-B'), '$mqtt.sensor_7-B.pubrel')
  })

  it('encode every byte of UTF-8 outside [A-Za-z0-9_-]', () => {
    assert.equal(encodeClientId('a.b/ü'), 'a%2Eb%2F%C3%BC')
  })

  it('encode the first byte of ids that are words of the protocol', () => {
    assert.equal(pubrelAddress('to'), '$mqtt.%74o.pubrel')
    assert.equal(decodeClientId('to'), undefined)
    assert.equal(decodeClientId('%74o'), 'to')
  })

  it('decode to the id that was encoded, whatever it is', () => {
    fc.assert(
      fc.property(clientIds, clientId => {
        assert.deepEqual(decodeClientAddress(publishAddress(clientId)), { clientId, kind: 'publish' })
        assert.deepEqual(decodeClientAddress(controlAddress(clientId)), { clientId, kind: 'control' })
        assert.deepEqual(decodeClientAddress(pubrelAddress(clientId)), { clientId, kind: 'pubrel' })
        assert.match(encodeClientId(clientId), /^[A-Za-z0-9_%-]+$/)
      })
    )
  })

  it('are not read where they are written another way', () => {
    for (const address of [
      '$mqtt.to.a%2eb.publish',
      '$mqtt.to.%41.publish',
      '$mqtt.to.%.publish',
      '$mqtt.to.%FF.publish',
      '$mqtt.to..publish',
      '$mqtt.to.a.b.publish',
      '$mqtt.to.publish',
      '$mqtt.to.a.other',
      '$mqtt.a.pubrel.x',
      'mqtt.to.a.publish',
      '$mqtt.to.pubrel'
    ]) {
      assert.equal(decodeClientAddress(address), undefined, address)
    }
  })

  it('tell ours from others', () => {
    assert.ok(
      isOwnedAddress('$mqtt.to.a.publish') && isOwnedAddress('$subctrl') && isOwnedAddress('$retain.a/b')
    )
    assert.ok(!isOwnedAddress('mqtt.to') && !isOwnedAddress('$SYS/x') && !isOwnedAddress('a'))
    assert.ok(
      isGatewayControlAddress('$mqtt.gw.0b9c.control') && !isGatewayControlAddress('$mqtt.gw.x.y.control')
    )
  })
})
