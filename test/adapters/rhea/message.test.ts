import assert from 'node:assert/strict'
import fc from 'fast-check'
import { AmqpError } from '../../../plugin/errors.js'
import type { AmqpTyped, AmqpValue, Message, MessageProperties } from '../../../plugin/host.js'
import {
  bytesForDelivery,
  encodeMessage,
  EncodedMessage,
  withAnnotation
} from '../../../adapters/rhea/message.js'
import { amqpMessage, amqpValue, plain } from '../../fixtures/amqp-messages.js'

const message = (fields: Partial<Message>): Message => ({
  durable: false,
  deliveryCount: 0,
  annotations: new Map(),
  properties: {},
  applicationProperties: new Map(),
  body: { type: 'none' },
  ...fields
})

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

describe('AMQP values', () => {
  it('have the shapes that the port promises', () => {
    const bytes = (...numbers: number[]) => Buffer.from(numbers)
    const cases: readonly [string, AmqpValue][] = [
      ['40', null],
      ['41', true],
      ['42', false],
      ['5601', true],
      ['5600', false],
      ['43', 0],
      ['44', 0],
      ['45', []],
      ['50ff', 255],
      ['51ff', -1],
      ['52fe', 254],
      ['5380', 128],
      ['5480', -128],
      ['557f', 127],
      ['60ffff', 65535],
      ['618000', -32768],
      ['70ffffffff', 4294967295],
      ['7180000000', -2147483648],
      ['723f800000', 1],
      ['7300000041', 'A'],
      ['730001f600', '\u{1f600}'],
      ['7401020304', bytes(1, 2, 3, 4)],
      ['80001fffffffffffff', Number.MAX_SAFE_INTEGER],
      ['800020000000000001', 9007199254740993n],
      ['80ffffffffffffffff', 18446744073709551615n],
      ['81ffffffffffffffff', -1],
      ['818000000000000000', -9223372036854775808n],
      ['82400921fb54442d18', Math.PI],
      ['8300000000000003e8', { type: 'timestamp', value: 1000 }],
      ['830020000000000001', { type: 'timestamp', value: 9007199254740993n }],
      ['840102030405060708', bytes(1, 2, 3, 4, 5, 6, 7, 8)],
      [`94${'07'.repeat(16)}`, Buffer.alloc(16, 7)],
      [`98${'07'.repeat(16)}`, { type: 'uuid', value: Buffer.alloc(16, 7) }],
      ['a0020102', bytes(1, 2)],
      ['b0000000020102', bytes(1, 2)],
      ['a103e282ac', '\u20ac'],
      ['b100000003e282ac', '\u20ac'],
      ['a30161', 'a'],
      ['b30000000161', 'a'],
      ['c003024041', [null, true]],
      ['d000000006000000024041', [null, true]],
      ['e004025001ff', [1, 255]],
      ['f00000000a00000003a30161016200', ['a', 'b', '']],
      ['e0060200a3016441', [true, true]],
      ['005301a10161', 'a'],
      ['00a30361626300530140', null]
    ]
    for (const [encoded, expected] of cases) assert.deepEqual(value(encoded), expected, encoded)
  })

  it('keep the order of maps, integer-like keys, __proto__ and keys that are no strings', () => {
    const map = new Map<AmqpValue, AmqpValue>([
      ['9', 1],
      ['__proto__', new Map([['x', 'y']])],
      ['1', 2],
      [7, 3],
      [null, 4],
      ['constructor', 5]
    ])
    const { body } = new EncodedMessage(encodeMessage(message({ body: { type: 'value', value: map } })).bytes)
    assert.equal(body.type, 'value')
    if (body.type === 'value') assert.deepEqual([...(body.value as typeof map)], [...map])
  })

  it('are encoded as the smallest type that the port names', () => {
    const cases: readonly [AmqpValue, string][] = [
      [0, '5400'],
      [-128, '5480'],
      [128, '7100000080'],
      [2 ** 31, '810000000080000000'],
      [-(2 ** 53 - 1), '81ffe0000000000001'],
      [2 ** 53, '824340000000000000'],
      [0.5, '823fe0000000000000'],
      [-0, '828000000000000000'],
      [5n, '810000000000000005'],
      ['a', 'a10161'],
      [new Uint8Array([1]), 'a00101'],
      [[], '45'],
      [{ type: 'ubyte', value: 1 }, '5001'],
      [{ type: 'ushort', value: 1 }, '600001'],
      [{ type: 'uint', value: 1 }, '7000000001'],
      [{ type: 'ulong', value: 1n }, '800000000000000001'],
      [{ type: 'byte', value: -1 }, '51ff'],
      [{ type: 'short', value: -1 }, '61ffff'],
      [{ type: 'int', value: -1 }, '71ffffffff'],
      [{ type: 'long', value: -1 }, '81ffffffffffffffff'],
      [{ type: 'float', value: 1 }, '723f800000'],
      [{ type: 'double', value: 1 }, '823ff0000000000000'],
      [{ type: 'symbol', value: 'a' }, 'a30161'],
      [{ type: 'timestamp', value: 1000 }, '8300000000000003e8'],
      [{ type: 'uuid', value: new Uint8Array(16) }, `98${'00'.repeat(16)}`]
    ]
    for (const [from, expected] of cases) {
      const { bytes } = encodeMessage(message({ body: { type: 'value', value: from } }))
      assert.equal(bytes.subarray(3).toString('hex'), expected)
    }
  })

  it('throw a RangeError when their type cannot hold them', () => {
    const bad: readonly AmqpTyped[] = [
      { type: 'ubyte', value: 256 },
      { type: 'uint', value: -1 },
      { type: 'ulong', value: -1 },
      { type: 'uuid', value: new Uint8Array(15) },
      { type: 'symbol', value: 1 },
      { type: 'int', value: '1' }
    ]
    for (const typed of bad) {
      assert.throws(
        () => encodeMessage(message({ body: { type: 'value', value: typed } })),
        RangeError,
        typed.type
      )
    }
    assert.throws(() => encodeMessage(message({ body: { type: 'value', value: 2n ** 63n } })), RangeError)
  })

  it('round-trip', () => {
    fc.assert(
      fc.property(amqpValue, from => {
        const { body } = new EncodedMessage(
          encodeMessage(message({ body: { type: 'value', value: from } })).bytes
        )
        assert.deepEqual(plain(message({ body })), plain(message({ body: { type: 'value', value: from } })))
      }),
      { numRuns: 300 }
    )
  })
})

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

describe('withAnnotation', () => {
  it('sets one annotation and keeps every other byte', () => {
    fc.assert(
      fc.property(
        amqpMessage,
        fc.string({ minLength: 1, maxLength: 300 }),
        fc.string({ maxLength: 300 }),
        (m, name, text) => {
          const before = encodeMessage(m)
          const after = encodeMessage(withAnnotation(before, name, text))
          assert.deepEqual(
            plain(after),
            plain({ ...plain(m), annotations: new Map(m.annotations).set(name, text) })
          )
          const again = encodeMessage(withAnnotation(after, name, 'again'))
          assert.deepEqual([...again.annotations.keys()], [...after.annotations.keys()])
          for (const end of [before, after, again]) {
            assert.ok(bareMessage(end).equals(bareMessage(before)))
          }
        }
      ),
      { numRuns: 300 }
    )
  })

  it('keeps the bytes of the other annotations, in the order they had', () => {
    const bytes = Buffer.from('005372c11606a301615401a301627100000002a301637300000041005375a000', 'hex')
    const replaced = encodeMessage(withAnnotation(new EncodedMessage(bytes), 'b', 'new')).bytes.toString(
      'hex'
    )
    assert.equal(replaced, '005372d10000001900000006a301615401a30162a1036e6577a301637300000041005375a000')
    const added = encodeMessage(withAnnotation(new EncodedMessage(bytes), 'd', 'new')).bytes.toString('hex')
    assert.equal(
      added,
      '005372d10000002100000008a301615401a301627100000002a301637300000041a30164a1036e6577005375a000'
    )
  })

  it('puts new annotations behind header and delivery annotations', () => {
    const bytes = Buffer.from('005370c0020141' + '005371c10100' + '005377a10161', 'hex')
    const { bytes: after } = encodeMessage(withAnnotation(new EncodedMessage(bytes), 'k', 'v'))
    assert.equal(
      after.toString('hex'),
      '005370c0020141005371c10100005372d10000000a00000002a3016ba10176005377a10161'
    )
  })

  it('copies a message that is not encoded, without a class in the way', () => {
    const m = message({ annotations: new Map([['a', 1]]), ttlMs: 5 })
    assert.deepEqual(
      withAnnotation(m, 'b', 'c'),
      message({
        annotations: new Map<string, AmqpValue>([
          ['a', 1],
          ['b', 'c']
        ]),
        ttlMs: 5,
        priority: undefined
      })
    )
    assert.equal(m.annotations.size, 1)
  })
})

describe('bytesForDelivery', () => {
  it('rewrites the header alone', () => {
    fc.assert(
      fc.property(
        amqpMessage,
        fc.nat({ max: 300 }),
        fc.option(fc.nat(), { nil: undefined }),
        (m, deliveryCount, ttlMs) => {
          const encoded = encodeMessage(m)
          const expected = plain({ ...plain(m), deliveryCount, ttlMs: ttlMs ?? m.ttlMs })
          for (const from of [encoded, m]) {
            const delivered = new EncodedMessage(bytesForDelivery(from, { deliveryCount, ttlMs }))
            assert.deepEqual(plain(delivered), expected)
            assert.ok(afterHeader(delivered).equals(afterHeader(encoded)))
          }
        }
      ),
      { numRuns: 200 }
    )
  })

  it('drops delivery annotations', () => {
    const rest = '005372c10502a3016140' + '005377a10161'
    const bytes = Buffer.from(`005370c0020141005371c10502a3017a40${rest}`, 'hex')
    const same = bytesForDelivery(new EncodedMessage(bytes), { deliveryCount: 0 })
    assert.equal(same.toString('hex'), `005370c0020141${rest}`)
    const counted = bytesForDelivery(new EncodedMessage(bytes), { deliveryCount: 1 })
    assert.equal(counted.toString('hex'), `005370d00000000a00000005414040405201${rest}`)
    const bare = Buffer.from(`005371c10502a3017a40${rest}`, 'hex')
    assert.equal(bytesForDelivery(new EncodedMessage(bare), { deliveryCount: 0 }).toString('hex'), rest)
  })
})

/** from properties to the end */
function bareMessage(encoded: EncodedMessage): Buffer {
  const from = [0x73, 0x74, 0x75, 0x76, 0x77].map(code => encoded.section(code)?.start ?? Infinity)
  return encoded.bytes.subarray(Math.min(...from, encoded.bytes.length))
}

function afterHeader(encoded: EncodedMessage): Buffer {
  return encoded.bytes.subarray(encoded.section(0x70)?.end ?? 0)
}
