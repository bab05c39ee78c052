import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { AmqpTyped, AmqpValue } from '../../../plugin/host.js'
import { encodeMessage, EncodedMessage } from '../../../adapters/rhea/message.js'
import { amqpValue, message, plain } from '../../fixtures/amqp-messages.js'

const value = (bytes: string): AmqpValue => {
  const { body } = new EncodedMessage(Buffer.from(`005377${bytes}`, 'hex'))
  assert.equal(body.type, 'value')
  return body.type === 'value' ? body.value : null
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
