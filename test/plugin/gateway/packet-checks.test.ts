import assert from 'node:assert/strict'
import { BridgeError } from '../../../plugin/errors.js'
import {
  assertMalformed,
  assertRefused,
  BAD_UTF8,
  bytes,
  connect,
  field,
  NUL,
  packet,
  read
} from './bytes.js'

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
