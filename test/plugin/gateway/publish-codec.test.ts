import assert from 'node:assert/strict'
import fc from 'fast-check'
import { generate, parser } from 'mqtt-packet'
import type { Packet } from 'mqtt-packet'
import { BridgeError } from '../../../plugin/errors.js'
import { encodePacket, encodePublish, PublishCache } from '../../../plugin/gateway/packet-stream.js'
import type { Publication } from '../../../plugin/messages/publication.js'
import type { OutboundPacket, PublishPacket, Qos } from '../../../plugin/mqtt/packets.js'
import { acceptedStream } from './bytes.js'

const topic = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .filter(text => !text.includes('\0'))
const payload = fc.uint8Array({ maxLength: 300 }).map(content => Buffer.from(content))
const packetId = fc.integer({ min: 1, max: 65535 })
const publishPacket: fc.Arbitrary<PublishPacket> = fc
  .record({
    topic,
    payload,
    retain: fc.boolean(),
    dup: fc.boolean(),
    qos: fc.constantFrom<Qos>(0, 1, 2),
    packetId
  })
  .map(({ qos, dup, ...rest }) => ({
    cmd: 'publish',
    ...rest,
    qos,
    dup: dup && qos > 0,
    packetId: qos > 0 ? rest.packetId : undefined
  }))

function generatePublish({
  topic: name,
  payload: content,
  qos,
  retain,
  dup,
  packetId: messageId
}: PublishPacket): Buffer {
  const base = { cmd: 'publish', topic: name, payload: Buffer.from(content), qos, retain, dup } as const
  return generate(messageId === undefined ? base : { ...base, messageId })
}

function parse(bytes: Buffer): Packet[] {
  const packets: Packet[] = []
  const parsing = parser({ protocolVersion: 4 })
  parsing.on('packet', packet => packets.push(packet))
  parsing.parse(bytes)
  return packets
}

function publicationOf(changes: Partial<Publication>): Publication {
  return { topic: 'a/b', payload: Buffer.from('payload'), qos: 1, retain: false, dup: false, ...changes }
}

describe('PUBLISH', () => {
  it('is read as mqtt-packet wrote it', () => {
    fc.assert(
      fc.property(fc.array(publishPacket, { minLength: 1, maxLength: 5 }), packets => {
        const stream = acceptedStream()
        stream.push(Buffer.concat(packets.map(generatePublish)))
        for (const packet of packets) assert.deepEqual(stream.next(), packet)
        assert.equal(stream.next(), undefined)
      }),
      { numRuns: 500 }
    )
  })

  it('is written as mqtt-packet writes it', () => {
    fc.assert(
      fc.property(publishPacket, packet => {
        assert.deepEqual(encodePacket(packet), generatePublish(packet))
      }),
      { numRuns: 500 }
    )
  })

  it('has a length of one to four bytes', () => {
    for (const size of [0, 122, 123, 124, 16_378, 16_379, 16_380, 2_097_146, 2_097_147, 2_097_148]) {
      const packet: PublishPacket = {
        cmd: 'publish',
        topic: 'a/b',
        payload: Buffer.alloc(size),
        qos: 0,
        retain: false,
        dup: false
      }
      assert.ok(encodePacket(packet).equals(generatePublish(packet)), `${size}`)
    }
  })

  it('is the same through a cache, whoever else got the publication', () => {
    const out = fc.record({
      which: fc.nat(2),
      qos: fc.constantFrom<Qos>(0, 1, 2),
      packetId,
      dup: fc.boolean(),
      retain: fc.boolean()
    })
    const publications = [
      publicationOf({}),
      publicationOf({ topic: 'ü' }),
      publicationOf({ payload: Buffer.alloc(0) })
    ]
    fc.assert(
      fc.property(fc.array(out, { minLength: 1, maxLength: 20 }), outs => {
        const cache = new PublishCache()
        for (const { which, qos, packetId: id, dup, retain } of outs) {
          const publication = publications[which] ?? publicationOf({})
          const packet: PublishPacket = {
            cmd: 'publish',
            topic: publication.topic,
            payload: publication.payload,
            qos,
            dup: dup && qos > 0,
            retain,
            packetId: qos > 0 ? id : undefined
          }
          assert.deepEqual(encodePacket(packet, publication, cache), generatePublish(packet))
        }
      })
    )
  })

  it('is encoded once for all who get it with QoS 0', () => {
    const cache = new PublishCache()
    const publication = publicationOf({})
    const first = encodePublish(publication, 0, undefined, false, false, cache)
    assert.equal(encodePublish(publication, 0, undefined, false, false, cache), first)
    assert.notEqual(encodePublish(publication, 0, undefined, false, true, cache), first)
    assert.notEqual(encodePublish(publicationOf({}), 0, undefined, false, false, cache), first)
  })

  it('leaves the bytes of one client as they are when the next one gets its own', () => {
    const cache = new PublishCache()
    const publication = publicationOf({})
    const first = encodePublish(publication, 1, 0x1234, false, false, cache)
    const copy = Buffer.from(first)
    encodePublish(publication, 1, 0x5678, true, true, cache)
    assert.deepEqual(first, copy)
  })
})

describe('encodePacket', () => {
  it('writes every other packet as mqtt-packet reads it', () => {
    const cases: [OutboundPacket, Packet][] = [
      [
        { cmd: 'connack', returnCode: 5, sessionPresent: false },
        { cmd: 'connack', returnCode: 5, sessionPresent: false }
      ],
      [
        { cmd: 'connack', returnCode: 0, sessionPresent: true },
        { cmd: 'connack', returnCode: 0, sessionPresent: true }
      ],
      [
        { cmd: 'puback', packetId: 1 },
        { cmd: 'puback', messageId: 1 }
      ],
      [
        { cmd: 'pubrec', packetId: 256 },
        { cmd: 'pubrec', messageId: 256 }
      ],
      [
        { cmd: 'pubrel', packetId: 65535 },
        { cmd: 'pubrel', messageId: 65535 }
      ],
      [
        { cmd: 'pubcomp', packetId: 515 },
        { cmd: 'pubcomp', messageId: 515 }
      ],
      [
        { cmd: 'suback', packetId: 9, codes: [0, 1, 2, 0x80] },
        { cmd: 'suback', messageId: 9, granted: [0, 1, 2, 0x80] }
      ],
      [
        { cmd: 'unsuback', packetId: 9 },
        { cmd: 'unsuback', messageId: 9, granted: [] }
      ],
      [{ cmd: 'pingresp' }, { cmd: 'pingresp' }]
    ]
    for (const [packet, expected] of cases) {
      const [parsed, ...more] = parse(encodePacket(packet))
      assert.deepEqual(more, [])
      const { granted, ...rest } = expected as { granted?: unknown }
      for (const [key, value] of Object.entries(
        packet.cmd === 'unsuback' ? rest : { ...rest, ...(granted ? { granted } : {}) }
      )) {
        assert.deepEqual((parsed as unknown as Record<string, unknown>)[key], value, `${packet.cmd} ${key}`)
      }
    }
  })

  it('writes MQTT 3.1.1 to the byte', () => {
    assert.deepEqual(
      encodePacket({ cmd: 'connack', returnCode: 2, sessionPresent: false }),
      Buffer.of(0x20, 2, 0, 2)
    )
    assert.deepEqual(
      encodePacket({ cmd: 'connack', returnCode: 0, sessionPresent: true }),
      Buffer.of(0x20, 2, 1, 0)
    )
    assert.deepEqual(
      encodePacket({ cmd: 'suback', packetId: 258, codes: [1, 0x80] }),
      Buffer.of(0x90, 4, 1, 2, 1, 0x80)
    )
    assert.deepEqual(encodePacket({ cmd: 'unsuback', packetId: 258 }), Buffer.of(0xb0, 2, 1, 2))
    assert.deepEqual(encodePacket({ cmd: 'puback', packetId: 258 }), Buffer.of(0x40, 2, 1, 2))
    assert.deepEqual(encodePacket({ cmd: 'pubrel', packetId: 258 }), Buffer.of(0x62, 2, 1, 2))
    assert.deepEqual(encodePacket({ cmd: 'pingresp' }), Buffer.of(0xd0, 0))
  })
})

describe('SUBSCRIBE, UNSUBSCRIBE and CONNECT', () => {
  it('are read as mqtt-packet wrote them', () => {
    const filters = fc.array(fc.record({ topic, qos: fc.constantFrom<Qos>(0, 1, 2) }), {
      minLength: 1,
      maxLength: 5
    })
    const text = topic
    const connect = fc.record({
      clientId: text,
      clean: fc.boolean(),
      keepalive: fc.nat(65535),
      username: text,
      password: payload,
      will: fc.option(
        fc.record(
          { topic, payload, qos: fc.constantFrom<Qos>(0, 1, 2), retain: fc.boolean() },
          { noNullPrototype: true }
        ),
        { nil: undefined }
      ),
      old: fc.boolean()
    })
    fc.assert(
      fc.property(filters, packetId, connect, (subscriptions, messageId, { old, will, ...fields }) => {
        const stream = acceptedStream()
        const protocol = old
          ? ({ protocolId: 'MQIsdp', protocolVersion: 3 } as const)
          : ({ protocolId: 'MQTT', protocolVersion: 4 } as const)
        stream.push(generate({ cmd: 'connect', ...protocol, ...fields, ...(will ? { will } : {}) }))
        stream.push(generate({ cmd: 'subscribe', messageId, subscriptions }))
        const unsubscriptions = subscriptions.map(subscription => subscription.topic)
        stream.push(generate({ cmd: 'unsubscribe', messageId, unsubscriptions }))
        const { clientId, clean, keepalive: keepAliveS, username, password } = fields
        const { protocolVersion } = protocol
        assert.deepEqual(stream.next(), {
          cmd: 'connect',
          protocolVersion,
          clientId,
          clean,
          keepAliveS,
          username,
          password,
          will
        })
        const requested = subscriptions.map(subscription => ({
          filter: subscription.topic,
          qos: subscription.qos
        }))
        assert.deepEqual(stream.next(), { cmd: 'subscribe', packetId: messageId, filters: requested })
        assert.deepEqual(stream.next(), { cmd: 'unsubscribe', packetId: messageId, filters: unsubscriptions })
        assert.ok(!(stream.next() instanceof BridgeError))
      }),
      { numRuns: 200 }
    )
  })
})
