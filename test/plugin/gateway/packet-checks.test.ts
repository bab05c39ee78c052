import assert from 'node:assert/strict'
import { BridgeError } from '../../../plugin/errors.js'
import type { FailureCode } from '../../../plugin/errors.js'
import { PacketStream } from '../../../plugin/gateway/packet-stream.js'
import type { InboundPacket } from '../../../plugin/mqtt/packets.js'
import { acceptedStream, bytes, connect, field, OPTIONS, packet, readAll } from './bytes.js'

const SURROGATE = field(Buffer.from([0x61, 0xed, 0xa0, 0x80]))
const OVERLONG = field(Buffer.from([0xc0, 0x80]))
const CUT = field(Buffer.from([0x61, 0xe2, 0x82]))
const BEYOND = field(Buffer.from([0xf4, 0x90, 0x80, 0x80]))
const BAD_UTF8 = [SURROGATE, OVERLONG, CUT, BEYOND, field(Buffer.from([0x80])), field(Buffer.from([0xff]))]
const NUL = field(Buffer.from('a\0b'))

/** The first thing that comes out of these bytes. */
function read(content: Buffer, version: 3 | 4 = 4): InboundPacket | BridgeError | undefined {
  const stream = acceptedStream(version)
  stream.push(content)
  return stream.next()
}

function assertRefused(code: FailureCode, ...contents: readonly Buffer[]): void {
  for (const content of contents) {
    const failure = read(content)
    assert.ok(failure instanceof BridgeError, `${content.toString('hex')} was read`)
    assert.equal(failure.code, code, `${content.toString('hex')}: ${failure.message}`)
  }
}

function assertMalformed(...contents: readonly Buffer[]): void {
  assertRefused('malformedPacket', ...contents)
}

/** One packet of each kind with the given string in it. */
function withString(string: Buffer): Buffer[] {
  return [
    connect(2, string),
    connect(0x06, 'id', string, ''),
    connect(0x82, 'id', string),
    packet(0x30, string),
    packet(0x32, string, 0, 1),
    packet(0x82, 0, 1, string, 0),
    packet(0x82, 0, 1, 'a', 0, string, 0),
    packet(0xa2, 0, 1, string),
    packet(0xa2, 0, 1, 'a', string)
  ]
}

describe('Packet checks', () => {
  it('refuse strings that are not well-formed UTF-8, surrogates among them [MQTT3-1.5.3-1]', () => {
    for (const string of BAD_UTF8) assertMalformed(...withString(string))
  })

  it('refuse U+0000 in strings [MQTT3-1.5.3-2]', () => {
    assertMalformed(...withString(NUL))
    assertMalformed(...withString(field(Buffer.from('ü\0'))))
  })

  it('keep U+FEFF wherever it is [MQTT3-1.5.3-3]', () => {
    const topic = '\ufeffa\ufeffb\ufeff'
    const published = read(packet(0x30, topic))
    assert.ok(!(published instanceof BridgeError) && published?.cmd === 'publish')
    assert.equal(published.topic, topic)
    const subscribed = read(packet(0x82, 0, 1, topic, 0))
    assert.ok(!(subscribed instanceof BridgeError) && subscribed?.cmd === 'subscribe')
    assert.equal(subscribed.filters[0]?.filter, topic)
    const connected = read(connect(2, topic))
    assert.ok(!(connected instanceof BridgeError) && connected?.cmd === 'connect')
    assert.equal(connected.clientId, topic)
  })

  it('read every other character as it is [MQTT3-4.7.3-4]', () => {
    for (const topic of ['é', 'e\u0301', '😀', '\u0001', '\uffff', '\u{10ffff}', ' ', 'A', 'a']) {
      const published = read(packet(0x30, topic))
      assert.ok(!(published instanceof BridgeError) && published?.cmd === 'publish')
      assert.equal(published.topic, topic)
    }
  })

  it('refuse reserved flags that are not what they must be [MQTT3-2.2.2-1] [MQTT3-2.2.2-2]', () => {
    const good: [first: number, body: Buffer][] = [
      [0x10, connect(2, 'id').subarray(2)],
      [0x40, bytes(0, 1)],
      [0x50, bytes(0, 1)],
      [0x70, bytes(0, 1)],
      [0xc0, bytes()],
      [0xe0, bytes()]
    ]
    for (const [first, body] of good) {
      assert.ok(!(read(packet(first, body)) instanceof BridgeError))
      for (let flags = 1; flags < 16; flags++) assertMalformed(packet(first | flags, body))
    }
  })

  it('refuse flags of PUBREL other than 2 [MQTT3-3.6.1-1]', () => {
    for (let flags = 0; flags < 16; flags++) if (flags !== 2) assertMalformed(packet(0x60 | flags, 0, 1))
  })

  it('refuse flags of SUBSCRIBE other than 2 [MQTT3-3.8.1-1]', () => {
    for (let flags = 0; flags < 16; flags++)
      if (flags !== 2) assertMalformed(packet(0x80 | flags, 0, 1, 'a', 0))
  })

  it('refuse flags of UNSUBSCRIBE other than 2 [MQTT3-3.10.1-1]', () => {
    for (let flags = 0; flags < 16; flags++) if (flags !== 2) assertMalformed(packet(0xa0 | flags, 0, 1, 'a'))
  })

  it('refuse flags of DISCONNECT other than 0 [MQTT3-3.14.1-1]', () => {
    for (let flags = 1; flags < 16; flags++) assertMalformed(packet(0xe0 | flags))
  })

  it('let MQTT 3.1 set DUP on what it sends again', () => {
    for (const [content, cmd] of [
      [packet(0x8a, 0, 1, 'a', 1), 'subscribe'],
      [packet(0xaa, 0, 1, 'a'), 'unsubscribe'],
      [packet(0x6a, 0, 1), 'pubrel']
    ] as const) {
      const again = read(content, 3)
      assert.ok(!(again instanceof BridgeError))
      assert.equal(again?.cmd, cmd)
      assertMalformed(content)
    }
  })

  it('refuse packets that only servers send, and types that are none', () => {
    for (const type of [0, 2, 9, 11, 13, 15]) assertRefused('protocolError', packet(type << 4, 0, 1))
  })

  it('refuse a length of more than four bytes', () => {
    assertMalformed(bytes(0x30, 0xff, 0xff, 0xff, 0xff), bytes(0x30, 0x80, 0x80, 0x80, 0x80, 0x01))
  })

  it('refuse packet id 0 [MQTT3-2.3.1-1]', () => {
    assertMalformed(
      packet(0x32, 'a', 0, 0),
      packet(0x34, 'a', 0, 0),
      packet(0x82, 0, 0, 'a', 0),
      packet(0xa2, 0, 0, 'a'),
      packet(0x40, 0, 0),
      packet(0x50, 0, 0),
      packet(0x62, 0, 0),
      packet(0x70, 0, 0)
    )
  })

  it('refuse PUBLISH with both QoS bits [MQTT3-3.3.1-4]', () => {
    for (const flags of [6, 7, 14, 15]) assertMalformed(packet(0x30 | flags, 'a', 0, 1))
  })

  it('refuse DUP with QoS 0 [MQTT3-3.3.1-2]', () => {
    assertMalformed(packet(0x38, 'a'), packet(0x39, 'a', Buffer.from('payload')))
  })

  it('refuse PUBLISH that ends before its topic or packet id does [MQTT3-3.3.2-1]', () => {
    assertMalformed(
      packet(0x30),
      packet(0x30, 0),
      packet(0x30, 0, 2, 0x61),
      packet(0x30, 0xff, 0xff),
      packet(0x32, 'a'),
      packet(0x32, 'a', 0)
    )
  })

  it('refuse acknowledgements and empty packets of another size', () => {
    assertMalformed(packet(0x40), packet(0x40, 1), packet(0x40, 0, 1, 0), packet(0x62, 0, 1, 0))
    assertMalformed(packet(0xc0, 0), packet(0xe0, 0))
  })

  it('refuse SUBSCRIBE without a filter [MQTT3-3.8.3-3]', () => {
    assertMalformed(packet(0x82), packet(0x82, 0), packet(0x82, 0, 1))
  })

  it('refuse SUBSCRIBE with QoS 3 or reserved bits [MQTT3-3-8.3-4]', () => {
    for (const qos of [3, 4, 5, 8, 0x40, 0x80, 0x81]) {
      assertMalformed(packet(0x82, 0, 1, 'a', qos), packet(0x82, 0, 1, 'a', 0, 'b', qos))
    }
  })

  it('refuse SUBSCRIBE and UNSUBSCRIBE that are cut off or have bytes left over [MQTT3-3.8.3-1] [MQTT3-3.10.3-1]', () => {
    assertMalformed(
      packet(0x82, 0, 1, 'a'),
      packet(0x82, 0, 1, 'a', 0, 0),
      packet(0x82, 0, 1, 'a', 0, 0, 5, 0x61),
      packet(0x82, 0, 1, 0xff, 0xff, 0x61, 0),
      packet(0xa2, 0, 1, 'a', 0),
      packet(0xa2, 0, 1, 0, 2, 0x61)
    )
  })

  it('refuse UNSUBSCRIBE without a filter [MQTT3-3.10.3-2]', () => {
    assertMalformed(packet(0xa2), packet(0xa2, 0), packet(0xa2, 0, 1))
  })
})

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
