import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { AmqpValue } from '../../../plugin/host.js'
import {
  bytesForDelivery,
  encodeMessage,
  EncodedMessage,
  withAnnotation
} from '../../../adapters/rhea/message.js'
import { amqpMessage, message, plain } from '../../fixtures/amqp-messages.js'

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
