import assert from 'node:assert/strict'
import fc from 'fast-check'
import { BridgeError } from '../../../plugin/errors.js'
import { PacketStream } from '../../../plugin/gateway/packet-stream.js'
import type { InboundPacket, PublishPacket } from '../../../plugin/mqtt/packets.js'
import { acceptedStream, bytes, connect, field, OPTIONS, packet, readAll } from './bytes.js'

const SCRIPT: readonly Buffer[] = [
  connect(0xc6, 'id', 'will', 'message', 'ann', 'secret'),
  packet(0xc0),
  packet(0x30, 'a', Buffer.alloc(0)),
  packet(0x33, 'a/ü', 0, 7, Buffer.alloc(300, 1)),
  packet(0x30, 'a', Buffer.alloc(0)),
  packet(0x40, 0xff, 0xfe),
  packet(0x82, 1, 2, 'a/+', 1, '#', 2),
  packet(0x30, 'a', Buffer.alloc(20_000, 2)),
  packet(0xa2, 1, 2, 'a/+', '#'),
  packet(0x3d, 'a/b', 0, 8, Buffer.from('x')),
  packet(0x50, 0, 1),
  packet(0x62, 0, 1),
  packet(0x70, 0, 1),
  packet(0xe0)
]

function single(content: Buffer, stream = acceptedStream()): InboundPacket {
  stream.push(content)
  const [only, ...more] = readAll(stream)
  assert.ok(only !== undefined && !(only instanceof BridgeError))
  assert.deepEqual(more, [])
  return only
}

function nextPublish(stream: PacketStream): PublishPacket {
  const next = stream.next()
  assert.ok(next !== undefined && !(next instanceof BridgeError) && next.cmd === 'publish')
  return next
}

/** Pushes the bytes in chunks of these sizes, over and over; each chunk has its own memory, as from a socket. */
function pushCut(content: Buffer, sizes: readonly number[], onChunk: (chunk: Buffer) => void): void {
  for (let at = 0, i = 0; at < content.length; i++) {
    const size = sizes[i % sizes.length] ?? 1
    onChunk(Buffer.from(content.subarray(at, at + size)))
    at += size
  }
}

describe('PacketStream', () => {
  it('reads every kind of packet', () => {
    assert.deepEqual(single(packet(0xc0)), { cmd: 'pingreq' })
    assert.deepEqual(single(packet(0xe0)), { cmd: 'disconnect' })
    assert.deepEqual(single(packet(0x62, 1, 2)), { cmd: 'pubrel', packetId: 258 })
    assert.deepEqual(single(packet(0x3b, 'a', 1, 2, Buffer.from('x'))), {
      cmd: 'publish',
      topic: 'a',
      payload: Buffer.from('x'),
      qos: 1,
      retain: true,
      dup: true,
      packetId: 258
    })
    assert.deepEqual(single(packet(0x82, 1, 2, 'a', 0, 'a', 2)), {
      cmd: 'subscribe',
      packetId: 258,
      filters: [
        { filter: 'a', qos: 0 },
        { filter: 'a', qos: 2 }
      ]
    })
    assert.deepEqual(single(packet(0xa2, 1, 2, 'a', 'b')), {
      cmd: 'unsubscribe',
      packetId: 258,
      filters: ['a', 'b']
    })
  })

  it('reads the same packets however the bytes were cut', () => {
    const content = Buffer.concat(SCRIPT)
    const whole = acceptedStream()
    whole.push(content)
    const expected = readAll(whole)
    assert.equal(expected.length, SCRIPT.length)
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 30_000 })), {
          minLength: 1,
          maxLength: 20
        }),
        fc.boolean(),
        (sizes, readEach) => {
          const stream = acceptedStream()
          const packets: unknown[] = []
          pushCut(content, sizes, chunk => {
            stream.push(chunk)
            if (readEach) packets.push(...readAll(stream))
          })
          packets.push(...readAll(stream))
          assert.deepEqual(packets, expected)
        }
      ),
      { numRuns: 200 }
    )
  })

  it('reads one byte at a time', () => {
    const stream = acceptedStream()
    const packets: unknown[] = []
    for (const byte of Buffer.concat(SCRIPT)) {
      stream.push(Buffer.of(byte))
      packets.push(...readAll(stream))
    }
    assert.equal(packets.length, SCRIPT.length)
  })

  it('says that it needs more for each beginning of a packet', () => {
    for (const content of SCRIPT) {
      for (let size = 0; size < Math.min(content.length, 400); size++) {
        const stream = acceptedStream()
        stream.push(content.subarray(0, size))
        assert.equal(stream.next(), undefined)
        stream.push(content.subarray(size))
        assert.ok(stream.next() !== undefined)
      }
    }
  })

  it('gives nothing when nothing came', () => {
    const stream = new PacketStream(OPTIONS)
    assert.equal(stream.next(), undefined)
    stream.push(Buffer.alloc(0))
    assert.equal(stream.next(), undefined)
  })

  it('takes lengths that have more bytes than they need', () => {
    assert.deepEqual(single(bytes(0xc0, 0x80, 0x80, 0x80, 0)), { cmd: 'pingreq' })
    assert.deepEqual(single(bytes(0x40, 0x82, 0x00, 0, 9)), { cmd: 'puback', packetId: 9 })
  })

  it('gives what came before a malformed packet, then the failure again and again, and takes no more', () => {
    const stream = acceptedStream()
    stream.push(Buffer.concat([packet(0xc0), packet(0xf0), packet(0xc0)]))
    assert.deepEqual(stream.next(), { cmd: 'pingreq' })
    const failure = stream.next()
    assert.ok(failure instanceof BridgeError)
    stream.push(packet(0xc0))
    assert.equal(stream.next(), failure)
  })

  it('tells a packet over the limit from its first bytes', () => {
    const stream = acceptedStream(4, { maxPacketBytes: 1000 })
    stream.push(bytes(0x30, 0xe8, 0x07)) // 1000 bytes and a header
    const failure = stream.next()
    assert.equal(failure instanceof BridgeError && failure.code, 'packetTooLarge')
    const atLimit = packet(0x30, 'a', Buffer.alloc(994))
    assert.equal(atLimit.length, 1000)
    assert.equal(single(atLimit, acceptedStream(4, { maxPacketBytes: 1000 })).cmd, 'publish')
  })

  it('has a limit of its own until CONNECT was accepted', () => {
    const large = packet(0x30, 'a', Buffer.alloc(70_000))
    const stream = new PacketStream(OPTIONS)
    stream.push(large.subarray(0, 10))
    const failure = stream.next()
    assert.equal(failure instanceof BridgeError && failure.code, 'packetTooLarge')
    assert.equal(single(large).cmd, 'publish')
  })

  it('takes a packet of the largest size byte by byte in no more time than it has bytes', () => {
    const large = packet(0x32, 'a', 0, 1, Buffer.alloc(900_000, 5))
    const stream = acceptedStream()
    for (let at = 0; at < large.length - 1; at++) {
      stream.push(large.subarray(at, at + 1))
      if (stream.next() !== undefined) assert.fail('a packet that is not whole')
    }
    assert.equal(single(large.subarray(-1), stream).cmd, 'publish')
  })

  it('needs little memory for clients that announce much and send little', () => {
    const before = process.memoryUsage().arrayBuffers
    const streams = Array.from({ length: 1000 }, () => {
      const stream = new PacketStream(OPTIONS)
      stream.push(bytes(0x10, 0xf0, 0xff, 0x03, 0, 4))
      assert.equal(stream.next(), undefined)
      return stream
    })
    assert.ok(process.memoryUsage().arrayBuffers - before < 2_000_000)
    assert.equal(streams.length, 1000)
  })

  it('keeps no large chunk alive for a small payload', () => {
    const sizes = [100, 2000, 20_000]
    const stream = acceptedStream()
    stream.push(Buffer.concat([...sizes, 50_000].map(size => packet(0x30, 'a', Buffer.alloc(size)))))
    for (const size of sizes) {
      const { payload } = nextPublish(stream)
      assert.equal(payload.length, size)
      assert.ok(payload.buffer.byteLength <= Math.max(Buffer.poolSize, size))
    }
  })

  it('copies no payload that is most of its chunk', () => {
    const stream = acceptedStream()
    const chunk = packet(0x30, 'a', Buffer.alloc(50_000))
    stream.push(chunk)
    assert.equal(nextPublish(stream).payload.buffer, chunk.buffer)
  })

  it('keeps a password and a will apart from the chunk they came in', () => {
    const chunk = Buffer.from(connect(0xc6, 'id', 'will', 'message', 'ann', 'secret'))
    const connected = single(chunk)
    chunk.fill(0)
    assert.ok(connected.cmd === 'connect')
    assert.deepEqual(connected.password, Buffer.from('secret'))
    assert.deepEqual(connected.will?.payload, Buffer.from('message'))
  })

  it('tells topics apart that differ in the last byte, and remembers only what is ASCII', () => {
    const stream = acceptedStream()
    const topics = ['a/b', 'a/b', 'a/c', 'a/ü', 'a/ü', 'a/b', 'ü/a', 'Ã¼/a', '\u00c3\u00bc', 'ü', '']
    stream.push(Buffer.concat(topics.map(topic => packet(0x30, topic))))
    const read = readAll(stream).map(next =>
      next instanceof BridgeError || next.cmd !== 'publish' ? '?' : next.topic
    )
    assert.deepEqual(read, topics)
  })

  it('does not take bytes for a remembered topic that are none [MQTT3-1.5.3-1]', () => {
    // as many bytes as the remembered topic has characters, and bytes that are its character codes
    const stream = acceptedStream()
    stream.push(Buffer.concat([packet(0x30, 'ÿ'), packet(0x30, field(Buffer.from([0xff])))]))
    const [, second] = readAll(stream)
    assert.ok(second instanceof BridgeError)
  })
})
