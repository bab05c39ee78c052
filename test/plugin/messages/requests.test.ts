// Requests to the Subscription Service: what we write, what originals write, and what is refused with which words.
import assert from 'node:assert/strict'
import { EncodedMessage, encodeMessage } from '../../../adapters/rhea/message.js'
import { AmqpError } from '../../../plugin/errors.js'
import type { AmqpValue, Message, MessageProperties } from '../../../plugin/host.js'
import { decodeRequest, encodeRequest, type SubscriptionRequest } from '../../../plugin/messages/requests.js'

const request = (
  properties: MessageProperties,
  body?: AmqpValue,
  app: [string, AmqpValue][] = []
): Message => ({
  durable: false,
  deliveryCount: 0,
  annotations: new Map(),
  properties: { correlationId: '$mqtt.to.a.publish', ...properties },
  applicationProperties: new Map(app),
  body: body === undefined ? { type: 'none' } : { type: 'value', value: body }
})

const refusal = (message: Message): string => {
  try {
    decodeRequest(message)
  } catch (error) {
    if (error instanceof AmqpError) return `${error.condition} ${error.description}`
    throw error
  }
  return 'accepted'
}

describe('requests to the Subscription Service', () => {
  const samples: readonly SubscriptionRequest[] = [
    {
      type: 'list',
      clientId: 'a/ü',
      connection: 'c1',
      user: 'u',
      replyTo: '$mqtt.to.x.control',
      resume: true,
      correlationId: '$mqtt.to.a%2F%C3%BC.publish'
    },
    {
      ...{ type: 'close', clientId: 'a', connection: 'c1', user: undefined, delivery: 'inbox' },
      ...{ end: true, resume: false, replyTo: undefined }
    },
    {
      ...{ type: 'close', clientId: 'a', connection: 'c1', user: undefined, delivery: 'inbox' },
      ...{ end: false, resume: true, replyTo: '$mqtt.gw.0b0e7a3c-7d6f-4c6e-9f0a-0d4b6f6f2a11.control' }
    },
    {
      ...{ type: 'close', clientId: 'to', connection: undefined, user: undefined, delivery: 'queue' },
      ...{ end: false, resume: false, replyTo: undefined }
    },
    { type: 'disconnected', clientId: 'a', connection: 'c1', user: undefined },
    {
      type: 'subscribe',
      clientId: 'a',
      connection: 'c1',
      user: 'u',
      filters: new Map([
        ['#', 0],
        ['10', 1],
        ['2', 2],
        ['__proto__', 1]
      ]),
      delivery: 'inbox',
      partial: true,
      replayTo: 'there',
      packetId: 65535
    },
    {
      type: 'unsubscribe',
      clientId: 'a',
      connection: undefined,
      user: undefined,
      filters: ['b', 'a'],
      packetId: 1
    }
  ]

  it('come back as they were written, through bytes', () => {
    for (const sample of samples) {
      assert.deepEqual(decodeRequest(new EncodedMessage(encodeMessage(encodeRequest(sample)).bytes)), sample)
    }
  })

  it('write QoS as strings, the only form that originals read', () => {
    const { body } = encodeRequest({
      type: 'subscribe',
      clientId: 'a',
      filters: new Map([['t', 1]]),
      delivery: 'queue',
      partial: false
    })
    assert.deepEqual(body, { type: 'value', value: new Map([['t', '1']]) })
  })

  it('read a list, one filter, integers, true and maps of options', () => {
    const filtersOf = (body: AmqpValue): unknown => {
      const decoded = decodeRequest(request({ subject: 'subscribe' }, body))
      return decoded.type === 'subscribe' ? [...decoded.filters] : decoded
    }
    assert.deepEqual(filtersOf('t'), [['t', 1]])
    assert.deepEqual(filtersOf(['t', 'u']), [
      ['t', 1],
      ['u', 1]
    ])
    assert.deepEqual(
      filtersOf(
        new Map<AmqpValue, AmqpValue>([
          ['a', 2],
          ['b', true],
          ['c', new Map([['qos', '1']])]
        ])
      ),
      [
        ['a', 2],
        ['b', 1],
        ['c', 1]
      ]
    )
    const unsubscribed = decodeRequest(request({ subject: 'unsubscribe' }, new Map([['t', 1]])))
    assert.deepEqual(unsubscribed.type === 'unsubscribe' && unsubscribed.filters, ['t'])
  })

  it('are refused in words that name the field', () => {
    assert.match(refusal(request({})), /^amqp:not-implemented subject null/)
    assert.match(refusal(request({ subject: 'toString' })), /^amqp:not-implemented subject "toString"/)
    assert.match(refusal(request({ subject: 'list' })), /^amqp:decode-error reply-to/)
    assert.match(
      refusal(request({ subject: 'close', correlationId: 5 })),
      /^amqp:decode-error correlation-id/
    )
    assert.match(
      refusal(request({ subject: 'close', correlationId: '$mqtt.to.a.control' })),
      /^amqp:decode-error correlation-id/
    )
    assert.match(
      refusal(request({ subject: 'close', correlationId: '$mqtt.to.a b.publish' })),
      /^amqp:decode-error correlation-id/
    )
    assert.match(
      refusal(request({ subject: 'close' }, undefined, [['connection', 5]])),
      /application property connection/
    )
    assert.match(
      refusal(request({ subject: 'close' }, undefined, [['delivery', 'x']])),
      /application property delivery/
    )
    assert.match(
      refusal(request({ subject: 'subscribe' })),
      /^amqp:decode-error the body must be an amqp-value section, not absent/
    )
    assert.match(
      refusal(request({ subject: 'subscribe' }, new Map([['t', 3]]))),
      /the QoS of filter "t" must be 0, 1 or 2/
    )
    assert.match(refusal(request({ subject: 'subscribe' }, new Map([[5, 1]]))), /a filter must be a string/)
    assert.match(refusal(request({ subject: 'subscribe' }, [])), /names no filter/)
    assert.match(
      refusal(request({ subject: 'unsubscribe' }, 5)),
      /^amqp:decode-error the body must be a list/
    )
  })
})
