import assert from 'node:assert/strict'
import { BridgeError } from '../../../plugin/errors.js'
import { PacketStream } from '../../../plugin/gateway/packet-stream.js'
import {
  assertMalformed,
  assertRefused,
  BAD_UTF8,
  bytes,
  connect,
  CUT,
  field,
  NUL,
  OPTIONS,
  packet,
  read,
  readAll,
  SURROGATE
} from './bytes.js'

describe('CONNECT checks', () => {
  it('read all fields in their order [MQTT3-3.1.3-1] [MQTT3-3.1.3-3]', () => {
    const will = field(Buffer.from([0, 1, 2]))
    const password = field(Buffer.from([0xff, 0]))
    const all = read(connect(0b11101110, 'id', 'will/topic', will, 'ann', password))
    assert.deepEqual(all, {
      cmd: 'connect',
      protocolVersion: 4,
      clientId: 'id',
      clean: true,
      keepAliveS: 60,
      username: 'ann',
      password: Buffer.from([0xff, 0]),
      will: { topic: 'will/topic', payload: Buffer.from([0, 1, 2]), qos: 1, retain: true }
    })
  })

  it('read MQTT 3.1', () => {
    const connected = read(packet(0x10, 'MQIsdp', 3, 2, 0xff, 0xff, 'id'))
    assert.deepEqual(connected, {
      cmd: 'connect',
      protocolVersion: 3,
      clientId: 'id',
      clean: true,
      keepAliveS: 65535,
      username: undefined,
      password: undefined,
      will: undefined
    })
  })

  it('refuse a protocol that is not MQTT, without CONNACK [MQTT3-3.1.2-1]', () => {
    for (const name of ['', 'mqtt', 'MQTTX', 'MQIsd', 'HTTP', 'toString', '__proto__']) {
      assertMalformed(packet(0x10, name, 4, 2, 0, 60, 'id'))
    }
    assertMalformed(packet(0x10, SURROGATE, 4, 2, 0, 60, 'id'))
  })

  it('tell a level that is not served, whatever follows, for CONNACK 1 [MQTT3-3.1.2-2]', () => {
    for (const level of [0, 1, 2, 3, 5, 6, 255, 0x84]) {
      assertRefused(
        'protocolVersion',
        packet(0x10, 'MQTT', level),
        packet(0x10, 'MQTT', level, 2, 0, 60, 'id'),
        packet(0x10, 'MQTT', level, 0xff, 0xff, 0xff)
      )
    }
    assertRefused('protocolVersion', packet(0x10, 'MQIsdp', 4, 2, 0, 60, 'id'), packet(0x10, 'MQIsdp', 0x83))
    const properties = bytes(5, 0x11, 0, 0, 0, 10)
    const failure = read(packet(0x10, 'MQTT', 5, 2, 0, 60, properties, 'id'))
    assert.equal(failure instanceof BridgeError && failure.connack, 1)
  })

  it('refuse the reserved flag [MQTT3-3.1.2-3]', () => assertMalformed(connect(0x03, 'id')))

  it('refuse a will that is announced and missing [MQTT3-3.1.2-9]', () => {
    assertMalformed(connect(0x06, 'id'), connect(0x06, 'id', 'topic'), connect(0x06, 'id', 'topic', 0, 9, 1))
  })

  it('refuse will QoS, will RETAIN or will fields without a will [MQTT3-3.1.2-11] [MQTT3-3.1.2-13] [MQTT3-3.1.2-15]', () => {
    assertMalformed(
      connect(0x0a, 'id'),
      connect(0x12, 'id'),
      connect(0x22, 'id'),
      connect(0x02, 'id', 'topic', '')
    )
  })

  it('refuse will QoS 3 [MQTT3-3.1.2-14]', () => assertMalformed(connect(0x1e, 'id', 'topic', '')))

  it('refuse a user name that is not announced, or announced and missing [MQTT3-3.1.2-18] [MQTT3-3.1.2-19]', () => {
    assertMalformed(connect(0x02, 'id', 'ann'), connect(0x82, 'id'))
  })

  it('refuse a password that is not announced, or announced and missing [MQTT3-3.1.2-20] [MQTT3-3.1.2-21]', () => {
    assertMalformed(connect(0x82, 'id', 'ann', 'secret'), connect(0xc2, 'id', 'ann'))
  })

  it('refuse a password without a user name [MQTT3-3.1.2-22]', () =>
    assertMalformed(connect(0x42, 'id', 'secret')))

  it('refuse a client id, will topic or user name that is no string [MQTT3-3.1.3-4] [MQTT3-3.1.3-10] [MQTT3-3.1.3-11]', () => {
    assertMalformed(connect(2, CUT), connect(0x06, 'id', CUT, ''), connect(0x82, 'id', CUT))
  })

  it('take any bytes for a password or will message', () => {
    for (const any of [NUL, ...BAD_UTF8]) {
      assert.ok(!(read(connect(0xc2, 'id', 'ann', any)) instanceof BridgeError))
      assert.ok(!(read(connect(0x06, 'id', 'topic', any)) instanceof BridgeError))
    }
  })

  it('refuse CONNECT that ends early, wherever, and one with bytes left over [MQTT3-3.1.4-1]', () => {
    const whole = connect(0xc6, 'id', 'topic', 'message', 'ann', 'secret').subarray(2)
    for (let size = 0; size < whole.length; size++) assertMalformed(packet(0x10, whole.subarray(0, size)))
    assertMalformed(packet(0x10, whole, 0))
  })

  it('refuse the first bytes of other protocols', () => {
    for (const content of [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1]),
      Buffer.from('AMQP\0\u0001\0\0')
    ]) {
      const stream = new PacketStream(OPTIONS)
      stream.push(content)
      const [failure, ...more] = readAll(stream)
      assert.ok(failure instanceof BridgeError)
      assert.deepEqual(more, [])
    }
  })
})
