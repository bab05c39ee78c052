import assert from 'node:assert/strict'
import fc from 'fast-check'
import { AmqpError } from '../../../plugin/errors.js'
import type { AmqpValue, MessageProperties } from '../../../plugin/host.js'
import {
  bytesForDelivery,
  encodeMessage,
  EncodedMessage,
  withAnnotation
} from '../../../adapters/rhea/message.js'
import { amqpMessage, message, plain } from '../../fixtures/amqp-messages.js'

const value = (bytes: string): AmqpValue => {
  const { body } = new EncodedMessage(Buffer.from(`005377${bytes}`, 'hex'))
  assert.equal(body.type, 'value')
  return body.type === 'value' ? body.value : null
}

const decodeError = (what: RegExp) => (error: unknown) =>
  error instanceof AmqpError && error.condition === 'amqp:decode-error' && what.test(error.description)

describe('encoded AMQP messages', () => {
  it('decode to what was encoded', () => {
    fc.assert(
      fc.property(amqpMessage, m => {
        assert.deepEqual(plain(new EncodedMessage(encodeMessage(m).bytes)), plain(m))
      }),
      { numRuns: 300 }
    )
  })

  it('keep the bytes they were given', () => {
    fc.assert(
      fc.property(amqpMessage, m => {
        const { bytes } = encodeMessage(m)
        const again = new EncodedMessage(bytes)
        plain(again)
        assert.ok(encodeMessage(again).bytes.equals(bytes))
        assert.ok(bytesForDelivery(again, { deliveryCount: m.deliveryCount, ttlMs: m.ttlMs }).equals(bytes))
      })
    )
  })

  it('give AmqpError and nothing else for bytes that were cut or changed', () => {
    const mutation = fc.tuple(
      amqpMessage,
      fc.nat(),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 })
    )
    fc.assert(
      fc.property(mutation, ([m, cut, changes]) => {
        const bytes = Buffer.from(encodeMessage(m).bytes)
        if (bytes.length === 0) return
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        const end = cut % 3 === 0 ? cut % bytes.length : bytes.length
        try {
          const changed = new EncodedMessage(bytes.subarray(0, end))
          encodeMessage({ ...plain(changed), ttlMs: changed.ttlMs })
          withAnnotation(changed, 'x-opt-name', 'value')
          bytesForDelivery(changed, { deliveryCount: 9 })
        } catch (error) {
          if (!(error instanceof AmqpError)) throw error
        }
      }),
      { numRuns: 2000 }
    )
  })

  it('give AmqpError and nothing else for random bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.constantFrom('005377', '005372', '00537ac0', '0053'),
        (tail, head) => {
          try {
            plain(new EncodedMessage(Buffer.concat([Buffer.from(head, 'hex'), tail])))
          } catch (error) {
            if (!(error instanceof AmqpError)) throw error
          }
        }
      ),
      { numRuns: 2000 }
    )
  })

  it('say what is wrong with bytes that are no message', () => {
    const cases: readonly [string, RegExp][] = [
      ['01', /no descriptor/],
      ['00', /ends within/],
      ['00534041', /no section/],
      ['00a309616d71703a6e6f6e6540', /no section/],
      ['0053770053', /ends within|no section|out of place/],
      ['005377d0000000ff00000001', /longer than what holds it/],
      ['005377d000000004ffffffff', /ends within/],
      ['005377f000000005ffffffff40', /empty elements/],
      ['005377c00301404041', /shorter than its size/],
      ['005377c1020140', /key without a value/],
      ['00537746', /no type/],
      ['0053777300110000', /no code point/],
      ['00537540', /not binary/],
      ['005376a000', /not a list/],
      ['00537245', /not a map/],
      ['005372c103024041', /key has the type/],
      ['00537040', /not a list/],
      ['005370c0020155', /field 0 has the type 0x55/],
      ['005370c00706404040404040', /more fields/],
      ['005373c0020141', /field 0/],
      ['005375a000005370c00100', /out of place/],
      ['00537740005375a000', /out of place/],
      ['0053774000537740', /out of place/]
    ]
    for (const [bytes, what] of cases) {
      assert.throws(() => new EncodedMessage(Buffer.from(bytes, 'hex')), decodeError(what), bytes)
    }
  })

  it('refuse values nested without end', () => {
    const lists = Buffer.concat([Buffer.from('005377', 'hex'), nestedLists(3000)])
    assert.throws(() => new EncodedMessage(lists), decodeError(/too deep/))
    const descriptors = Buffer.from(`005377${'00'.repeat(100_000)}`, 'hex')
    assert.throws(() => new EncodedMessage(descriptors), decodeError(/too deep/))
    const described = Buffer.from(`005377${'0040'.repeat(100_000)}40`, 'hex')
    assert.throws(() => new EncodedMessage(described), decodeError(/too deep/))
    const arrays = Buffer.from(`005377f0000000ff00000001${'0040'.repeat(120)}40${'00'.repeat(10)}`, 'hex')
    assert.throws(() => new EncodedMessage(arrays), decodeError(/too deep/))
  })

  it('refuse many arrays of empty elements, which cost memory and no bytes', () => {
    const array = 'f0000000050000100040'
    assert.equal((value(array) as AmqpValue[]).length, 4096)
    assert.throws(() => value(`c01502${array}${array}`), decodeError(/empty elements/))
  })
})

function nestedLists(depth: number): Buffer {
  let bytes = Buffer.from([0x45])
  for (let i = 0; i < depth; i++) {
    const head = Buffer.alloc(9)
    head[0] = 0xd0
    head.writeUInt32BE(bytes.length + 4, 1)
    head.writeUInt32BE(1, 5)
    bytes = Buffer.concat([head, bytes])
  }
  return bytes
}

describe('sections of a message', () => {
  it('carry the AMQP types of their fields', () => {
    const properties: MessageProperties = {
      messageId: 7,
      userId: Buffer.from('u'),
      to: 't',
      correlationId: Buffer.from('c'),
      contentType: 'x/y',
      absoluteExpiryTime: 1000,
      groupSequence: 300
    }
    const { bytes } = encodeMessage(message({ properties }))
    const list = '0c 5307 a00175 a10174 40 40 a00163 a303782f79 40 8300000000000003e8 40 40 700000012c'
    assert.equal(bytes.toString('hex'), `005373d0${'00000027'}000000${list.replaceAll(' ', '')}`)
  })

  it('are data where the body is bytes, and a value where it is a value', () => {
    const data = encodeMessage(
      message({ body: { type: 'data', sections: [Buffer.from('a'), Buffer.from('b')] } })
    )
    assert.equal(data.bytes.toString('hex'), '005375a00161' + '005375a00162')
    const value = encodeMessage(message({ body: { type: 'value', value: Buffer.from('a') } }))
    assert.equal(value.bytes.toString('hex'), '005377a00161')
  })

  it('are left out where they say nothing', () => {
    assert.equal(encodeMessage(message({})).bytes.length, 0)
    assert.deepEqual(plain(new EncodedMessage(Buffer.alloc(0))), plain(message({})))
  })

  it('are found under symbolic descriptors and long codes too', () => {
    const symbolic = Buffer.concat([
      Buffer.from('00a316', 'hex'),
      Buffer.from('amqp:properties:list'),
      Buffer.from('c00401a10161', 'hex')
    ])
    symbolic[2] = 'amqp:properties:list'.length
    assert.equal(new EncodedMessage(symbolic).properties.messageId, 'a')
    const long = Buffer.from('00800000000000000073c00401a10161', 'hex')
    assert.equal(new EncodedMessage(long).properties.messageId, 'a')
  })

  it('limit ttl to what the header can hold, and keep ids that are no ulong', () => {
    assert.equal(encodeMessage(message({ ttlMs: 2 ** 42 })).ttlMs, 0xffffffff)
    assert.equal(encodeMessage(message({ properties: { messageId: -5 } })).properties.messageId, -5)
    assert.equal(
      encodeMessage(message({ properties: { messageId: 2n ** 64n - 1n } })).properties.messageId,
      2n ** 64n - 1n
    )
    const late = encodeMessage(message({ properties: { absoluteExpiryTime: 2 ** 63 } }))
    assert.equal(late.properties.absoluteExpiryTime, 8.64e15)
  })

  it('share what was decoded once', () => {
    const encoded = encodeMessage(message({ annotations: new Map([['a', 1]]), properties: { to: 'x' } }))
    assert.equal(encoded.annotations, encoded.annotations)
    assert.equal(encoded.properties, encoded.properties)
  })
})
