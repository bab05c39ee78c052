// How ids are written in addresses toward ours and toward originals, and what requests say to each.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { AmqpError } from '../../../plugin/errors.js'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { spellingOf } from '../../../plugin/messages/peer.js'
import { decodeRequest, encodeRequest, type SubscriptionRequest } from '../../../plugin/messages/requests.js'

const [OURS, ORIGINAL] = [spellingOf('ours'), spellingOf('original')]

const ids = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1 }),
  fc.stringMatching(/^[a%2FB./ #*:]{1,8}$/),
  fc.constantFrom('to', '%74o', 'a%2Fb', 'a/b', 'x.publish', 'x.control', '.publish', '#', 'a::b', '*')
)

describe('ids in addresses', () => {
  it('are as they are toward originals, in addresses of their own', () => {
    for (const clientId of ['a/b', 'a b', '100%', 'ü', 'to', 'a.b']) {
      assert.equal(ORIGINAL.publish(clientId), `$mqtt.to.${clientId}.publish`)
      assert.equal(ORIGINAL.control(clientId), `$mqtt.to.${clientId}.control`)
    }
    assert.equal(ORIGINAL.publish('plain-1'), OURS.publish('plain-1'))
  })

  it('come back as they were written, and no two have one address, whoever writes', () => {
    fc.assert(
      fc.property(ids, ids, (one, other) => {
        assert.equal(OURS.clientOf(OURS.publish(one)), one)
        assert.equal(ORIGINAL.clientOf(ORIGINAL.publish(one)), ORIGINAL.canWrite(one) ? one : undefined)
        if (one !== other) assert.notEqual(ORIGINAL.publish(one), ORIGINAL.publish(other))
      }),
      { numRuns: 2000 }
    )
  })

  it('are never the address that we write for another id', () => {
    fc.assert(
      fc.property(ids, ids, (one, other) => {
        if (one !== other) assert.notEqual(ORIGINAL.publish(one), publishAddress(other))
      }),
      { numRuns: 2000 }
    )
  })

  it('are not read where a broker takes them for a wildcard or for a queue behind an address', () => {
    for (const clientId of ['#', 'a#', '*', 'a::b', 'a%2Fb', '%74o', ''])
      assert.equal(ORIGINAL.clientOf(`$mqtt.to.${clientId}.publish`), undefined, clientId)
  })
})

describe('requests toward originals', () => {
  const requests: readonly SubscriptionRequest[] = [
    {
      ...{ type: 'list', clientId: 'a/b', connection: 'c1', user: 'u', replyTo: '$mqtt.to.a/b.control' },
      ...{ resume: true, correlationId: '$mqtt.to.a/b.publish' }
    },
    {
      ...{ type: 'close', clientId: 'a/b', connection: 'c1', delivery: 'inbox' },
      ...{ end: true, resume: true, replyTo: '$mqtt.gw.x.control' }
    },
    {
      ...{ type: 'subscribe', clientId: 'a/b', connection: 'c1', filters: new Map([['t', 1]]) },
      ...{ delivery: 'inbox', partial: true, replayTo: '$mqtt.reply.x', packetId: 7 }
    },
    { type: 'unsubscribe', clientId: 'a/b', connection: 'c1', filters: ['t'], packetId: 8 }
  ]

  it('have the id as it is, and no field of ours', () => {
    for (const request of requests) {
      const { properties, applicationProperties } = encodeRequest(request, 'original')
      assert.equal(properties.correlationId, '$mqtt.to.a/b.publish')
      assert.deepEqual([...applicationProperties], [])
      assert.equal(properties.replyTo, request.type === 'list' ? request.replyTo : undefined)
    }
  })

  it('are read by ours as theirs, and by ours among ours not at all', () => {
    for (const request of requests) {
      const message = encodeRequest(request, 'original')
      const { type, clientId, connection } = decodeRequest(message, 'original')
      assert.deepEqual([type, clientId, connection], [request.type, 'a/b', undefined])
      assert.throws(
        () => decodeRequest(message),
        (error: unknown) => error instanceof AmqpError && error.condition === 'amqp:decode-error'
      )
    }
  })
})
