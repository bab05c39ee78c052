// Messages of the cases: how they are made, and what must be the same when they come out of a host.
// Rule: a host may add annotations of its own and count ttl down; all else comes out as it went in.

import assert from 'node:assert/strict'
import { decodePublication } from '../../plugin/messages/publish.js'
import type { AmqpTypeName, AmqpValue, Delivery, Message } from '../../plugin/host.js'

type Fields = Partial<Message>

export const text = (body: string, fields: Fields = {}): Message => ({
  durable: false,
  deliveryCount: 0,
  annotations: new Map(),
  properties: {},
  applicationProperties: new Map(),
  body: { type: 'data', sections: [Buffer.from(body)] },
  ...fields
})

export const durable = (body: string, fields: Fields = {}): Message =>
  text(body, { ...fields, durable: true })

/** `durable` messages with the texts `prefix`1 to `prefix`n */
export const series = (count: number, prefix = ''): Message[] =>
  numbers(count, prefix).map(body => durable(body))

export const numbers = (count: number, prefix = ''): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`)

/** The topic of a publication that came from `address`, as protocol.md tells to find it. */
export const topicOf = ({ message, deliveryCount }: Delivery, address: string): string =>
  decodePublication(message, { address, exact: false, deliveryCount }).topic

/** A value as a reader must see it, in a form that deepEqual can compare. */
export function seen(value: AmqpValue | undefined): unknown {
  if (typeof value === 'bigint') return numberOf(value)
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') }
  if (Array.isArray(value)) return value.map(seen)
  if (value instanceof Map) return { map: [...value].map(([key, each]) => [seen(key), seen(each)]) }
  if (typeof value === 'object' && value !== null && 'type' in value)
    return seenTyped(value.type, value.value)
  return value
}

function seenTyped(type: AmqpTypeName, value: number | bigint | string | Uint8Array): unknown {
  if (type === 'timestamp') return { timestamp: Number(value) }
  if (value instanceof Uint8Array) return { [type]: Buffer.from(value).toString('hex') }
  return typeof value === 'bigint' ? numberOf(value) : value
}

/** Integers are numbers, and bigint where a number is not exact. */
function numberOf(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

function seenBody({ body }: Message): unknown {
  if (body.type === 'data') return body.sections.map(section => seen(section))
  if (body.type === 'sequence') return body.sections.map(section => section.map(seen))
  return body.type === 'value' ? { value: seen(body.value) } : 'none'
}

function seenProperties({ properties }: Message): unknown {
  const entries = Object.entries(properties as Record<string, AmqpValue | undefined>)
  return entries
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, seen(value)])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
}

const seenMap = (map: ReadonlyMap<string, AmqpValue>): unknown =>
  [...map].map(([key, value]) => [key, seen(value)])

/** `actual` is `sent`; `what` names it in the failure. */
export function sameMessage(actual: Message, sent: Message, what: string): void {
  assert.deepEqual(seenBody(actual), seenBody(sent), `${what}: body`)
  assert.equal(actual.body.type, sent.body.type, `${what}: type of body`)
  assert.deepEqual(seenProperties(actual), seenProperties(sent), `${what}: properties`)
  const { annotations } = actual
  const kept = new Map([...annotations].filter(([name]) => sent.annotations.has(name)))
  assert.deepEqual(seenMap(kept), seenMap(sent.annotations), `${what}: annotations`)
  const application = seenMap(sent.applicationProperties)
  assert.deepEqual(seenMap(actual.applicationProperties), application, `${what}: application properties`)
  assert.equal(actual.durable, sent.durable, `${what}: durable`)
  assert.equal(actual.priority ?? 4, sent.priority ?? 4, `${what}: priority`)
  if (sent.ttlMs !== undefined) assert.ok((actual.ttlMs ?? 0) <= sent.ttlMs, `${what}: ttl`)
}
