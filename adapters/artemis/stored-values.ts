// How a value of a keyed store is written on the broker: a message of its own with the value's bytes in it.
// Rule: the value comes out bit for bit, whatever it is, and a key can be found by its beginning with a selector. What the broker
// compares is the key in hexadecimal digits, whose order is that of the key's bytes; a long one is cut and told apart by its hash.

import { createHash } from 'node:crypto'
import type { Message } from '../../plugin/host.js'
import { EncodedMessage, encodeMessage } from '../rhea/message.js'

/** The application property that the broker keeps one message of each value of. */
export const KEY = 'key'

/** A key's first bytes that are written whole. */
const MAX_WHOLE = 400

/** How long the broker keeps what says that a key is gone, ms. */
const GRAVE_MS = 10_000

const NO_FIELDS = { deliveryCount: 0, annotations: new Map() } as const

export function slotOf(key: string): string {
  const bytes = Buffer.from(key)
  if (bytes.length <= MAX_WHOLE) return bytes.toString('hex')
  const hash = createHash('sha256').update(bytes).digest('hex')
  return `${bytes.subarray(0, MAX_WHOLE).toString('hex')}#${hash}`
}

export const shardOf = (key: string, shards: number): number =>
  createHash('sha256').update(key).digest().readUInt16BE(0) % shards

export const selectorOfKey = (key: string): string => `${KEY} = '${slotOf(key)}'`

export const selectorOfKeys = (keys: readonly string[]): string =>
  `${KEY} IN (${keys.map(key => `'${slotOf(key)}'`).join(',')})`

/** Takes more than it should where `prefix` is long. undefined: all */
export function selectorOfPrefix(prefix: string): string | undefined {
  const start = Buffer.from(prefix).subarray(0, MAX_WHOLE).toString('hex')
  return start === '' ? undefined : `${KEY} LIKE '${start}%'`
}

export const writeValue = (key: string, value: Message): Message => ({
  ...NO_FIELDS,
  durable: true,
  properties: {},
  applicationProperties: new Map([[KEY, slotOf(key)]]),
  body: { type: 'data', sections: [Buffer.from(key), encodeMessage(value).bytes] }
})

/** Takes the place of the value; the broker forgets it by itself. */
export const writeNothing = (key: string, now: number): Message => ({
  ...NO_FIELDS,
  durable: true,
  properties: { absoluteExpiryTime: now + GRAVE_MS },
  applicationProperties: new Map([[KEY, slotOf(key)]]),
  body: { type: 'data', sections: [Buffer.from(key)] }
})

/** undefined: a message that no store of ours has written. `value` undefined: the key is gone. */
export function readValue({
  body
}: Message): { readonly key: string; readonly value: EncodedMessage | undefined } | undefined {
  if (body.type !== 'data') return undefined
  const [key, value] = body.sections
  if (key === undefined) return undefined
  return {
    key: Buffer.from(key).toString('utf8'),
    value: value === undefined ? undefined : new EncodedMessage(value)
  }
}
