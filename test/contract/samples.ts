// Messages of every kind: each body type, each AMQP type that the port can write, each field.
// Rule: one idea per sample, so that a failure names it.

import type { AmqpValue, Message } from '../../plugin/host.js'
import { durable, text } from './messages.js'

const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
const uuid = bytes.slice(7, 23)

/** Values that a message of the port can have, but lists and maps. */
const SIMPLE: readonly AmqpValue[] = [
  null,
  true,
  false,
  7,
  -1,
  3_000_000_000,
  -3_000_000_000,
  0.5,
  1e300,
  5n,
  2n ** 53n + 1n,
  '',
  'Grüße, \u{1f600}\u0000',
  'x'.repeat(300),
  bytes,
  new Uint8Array(0),
  { type: 'ubyte', value: 255 },
  { type: 'ushort', value: 65535 },
  { type: 'uint', value: 0 },
  { type: 'uint', value: 200 },
  { type: 'uint', value: 2 ** 32 - 1 },
  { type: 'ulong', value: 0 },
  { type: 'ulong', value: 300 },
  { type: 'ulong', value: 2n ** 64n - 1n },
  { type: 'byte', value: -128 },
  { type: 'short', value: -32768 },
  { type: 'int', value: -(2 ** 31) },
  { type: 'int', value: 1 },
  { type: 'long', value: -5 },
  { type: 'long', value: -(2n ** 63n) },
  { type: 'float', value: 1.5 },
  { type: 'double', value: 0.1 },
  { type: 'double', value: -0 },
  { type: 'double', value: NaN },
  { type: 'double', value: -Infinity },
  { type: 'symbol', value: 'amqp:symbol' },
  { type: 'timestamp', value: 1_700_000_000_123 },
  { type: 'timestamp', value: 0 },
  { type: 'uuid', value: uuid }
]

const LIST: AmqpValue = [...SIMPLE, [], [[1], ['two', null]]]

const MAP: AmqpValue = new Map<AmqpValue, AmqpValue>([
  ['b', 1],
  ['2', 'string two'],
  ['10', 'string ten'],
  ['__proto__', 'own'],
  ['constructor', null],
  ['', 'empty'],
  [2, 'number two'],
  [true, 'boolean'],
  [{ type: 'symbol', value: 'symbol' }, new Map<AmqpValue, AmqpValue>([['inner', LIST]])],
  ['1', 'string one']
])

const named = (values: readonly AmqpValue[]): ReadonlyMap<string, AmqpValue> =>
  new Map(values.map((value, i) => [`x-opt-${i}`, value]))

const ODD_NAMES: ReadonlyMap<string, AmqpValue> = new Map<string, AmqpValue>([
  ['zuletzt', 1],
  ['10', 'ten'],
  ['2', 'two'],
  ['__proto__', 'own'],
  ['hasOwnProperty', true],
  ['toString', null],
  ['a b/ü', 'x'],
  ['', 'empty'],
  ['1', 'one']
])

const value = (body: AmqpValue): Partial<Message> => ({ body: { type: 'value', value: body } })

/** One message per idea, so that a failure names it. */
export const SAMPLES: readonly (readonly [title: string, message: Message])[] = [
  ['no body', durable('', { body: { type: 'none' } })],
  ['one data section', durable('', { body: { type: 'data', sections: [bytes] } })],
  ['an empty data section', durable('', { body: { type: 'data', sections: [new Uint8Array(0)] } })],
  ['several data sections', durable('', { body: { type: 'data', sections: [bytes, uuid, bytes] } })],
  ['a large data section', durable('', { body: { type: 'data', sections: [Buffer.alloc(300_000, 'ab')] } })],
  ...SIMPLE.map((each, i) => [`a value, number ${i}`, durable('', value(each))] as const),
  ['a list', durable('', value(LIST))],
  ['an empty list', durable('', value([]))],
  ['a map', durable('', value(MAP))],
  ['an empty map', durable('', value(new Map()))],
  ['one sequence', durable('', { body: { type: 'sequence', sections: [LIST] } })],
  ['several sequences', durable('', { body: { type: 'sequence', sections: [[1, 'a'], [], [MAP, null]] } })],
  ['application properties', durable('x', { applicationProperties: named(SIMPLE) })],
  ['application properties with odd names, in order', durable('x', { applicationProperties: ODD_NAMES })],
  ['annotations', durable('x', { annotations: named([...SIMPLE, LIST, MAP]) })],
  [
    'properties',
    durable('x', {
      properties: {
        messageId: 'message 1',
        userId: bytes,
        to: 'elsewhere/+',
        subject: 'list',
        replyTo: '$mqtt.to.c1.control',
        correlationId: 17,
        contentType: 'text/plain',
        contentEncoding: 'identity',
        absoluteExpiryTime: 4_000_000_000_000,
        creationTime: 1_700_000_000_123,
        groupId: 'group',
        groupSequence: 2 ** 32 - 1,
        replyToGroupId: 'other group'
      }
    })
  ],
  ...[0, 300, 2n ** 64n - 1n, '', 'text', bytes, { type: 'uuid', value: uuid } as const].map(
    (id, i) =>
      [
        `message-id and correlation-id, number ${i}`,
        durable('x', { properties: { messageId: id, correlationId: id } })
      ] as const
  ),
  ['header fields', durable('x', { priority: 9, ttlMs: 4_000_000_000 })],
  ['priority 0', durable('x', { priority: 0 })],
  ['a message that is not durable', text('x', { priority: 4 })]
]
