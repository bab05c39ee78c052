// The body of any AMQP message as an MQTT payload.
// Rule: no message is dropped for its body type; what is no text and no bytes becomes JSON, with every digit of its numbers.

import type { AmqpTyped, AmqpValue, MessageBody } from '../host.js'

export interface Payload {
  readonly payload: Uint8Array
  readonly payloadFormat?: 1
  readonly contentType?: string
}

const EMPTY = new Uint8Array(0)

/** Data sections concatenated; string → UTF-8; binary → bytes; null, no body → empty; all else JSON. */
export function payloadOf(body: MessageBody): Payload {
  switch (body.type) {
    case 'none':
      return { payload: EMPTY }
    case 'data':
      return {
        payload: body.sections.length === 1 ? (body.sections[0] ?? EMPTY) : Buffer.concat(body.sections)
      }
    case 'sequence':
      return json(`[${body.sections.flat(1).map(toJson).join(',')}]`)
    case 'value':
      return payloadOfValue(body.value)
    default:
      return body satisfies never
  }
}

function payloadOfValue(value: AmqpValue): Payload {
  if (value === null) return { payload: EMPTY }
  if (typeof value === 'string') return { payload: Buffer.from(value, 'utf8'), payloadFormat: 1 }
  if (value instanceof Uint8Array) return { payload: value }
  return json(toJson(value))
}

const json = (text: string): Payload => ({
  payload: Buffer.from(text, 'utf8'),
  payloadFormat: 1,
  contentType: 'application/json'
})

/** JSON text of a value: binary as base64, timestamps as ISO 8601, uuids in their usual form, map keys as strings. */
export function toJson(value: AmqpValue): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null'
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'))
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<AmqpValue, AmqpValue>)]
    return `{${entries.map(([key, item]) => `${jsonKey(key)}:${toJson(item)}`).join(',')}}`
  }
  if (Array.isArray(value)) return `[${(value as readonly AmqpValue[]).map(toJson).join(',')}]`
  return typedToJson(value as AmqpTyped)
}

const jsonKey = (key: AmqpValue): string =>
  typeof key === 'string' ? JSON.stringify(key) : JSON.stringify(toJson(key))

function typedToJson({ type, value }: AmqpTyped): string {
  if (type === 'timestamp') {
    const date = new Date(Number(value))
    return Number.isNaN(date.getTime()) ? String(value) : JSON.stringify(date.toISOString())
  }
  if (type === 'uuid' && value instanceof Uint8Array) {
    const hex = Buffer.from(value).toString('hex')
    return JSON.stringify(hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'))
  }
  return toJson(value)
}
