// What the two ends of a link to a served address say to each other over the broker's queues.
// Rule: a frame is a message that is not durable, for an inbox that goes with its process; a message that travels in one keeps its bytes.

import type { LinkError, Message, Outcome } from '../../plugin/host.js'
import { EncodedMessage, encodeMessage } from '../rhea/message.js'

export type Right = 'send' | 'receive' | 'use'

export type Frame =
  /** To the queue of the served address. `sender`: the client sends. */
  | {
      readonly type: 'attach'
      readonly kind: 'sender' | 'reader'
      readonly name: string
      readonly address: string
      /** undefined: the plugin itself */
      readonly user: string | undefined
      readonly inbox: string
    }
  | { readonly type: 'attached'; readonly inbox: string; readonly window: number }
  | { readonly type: 'refused'; readonly error: LinkError }
  | { readonly type: 'transfer'; readonly delivery: number; readonly message: Message }
  | { readonly type: 'outcome'; readonly delivery: number; readonly outcome: Outcome }
  | { readonly type: 'flow'; readonly credit: number }
  /** Is there more? */
  | { readonly type: 'drain'; readonly drain: number }
  | { readonly type: 'drained'; readonly drain: number }
  | { readonly type: 'detach'; readonly error: LinkError | undefined }
  | { readonly type: 'detached' }
  /** May the link's user do that? */
  | { readonly type: 'ask'; readonly question: number; readonly right: Right; readonly value: string }
  | { readonly type: 'answer'; readonly question: number; readonly may: boolean }

const DELIVERY = 'delivery'

export function encodeFrame(link: string, to: string, frame: Frame): Message {
  const { type } = frame
  const properties = { to, subject: type, correlationId: link }
  const bare = { durable: false, deliveryCount: 0, annotations: new Map(), properties } as const
  if (type === 'transfer') {
    const applicationProperties = new Map([[DELIVERY, frame.delivery]])
    const body = { type: 'data', sections: [encodeMessage(frame.message).bytes] } as const
    return { ...bare, applicationProperties, body }
  }
  const value = JSON.stringify(frame, (_key, field: unknown) =>
    field instanceof Map ? { pairs: [...field] } : field
  )
  return { ...bare, applicationProperties: new Map(), body: { type: 'value', value } }
}

/** undefined: no frame of ours */
export function decodeFrame(message: Message): { readonly link: string; readonly frame: Frame } | undefined {
  const { properties, applicationProperties, body } = message
  const link = properties.correlationId
  if (typeof link !== 'string') return undefined
  if (body.type === 'data' && properties.subject === 'transfer') {
    const delivery = Number(applicationProperties.get(DELIVERY))
    const bytes = body.sections[0]
    if (bytes === undefined) return undefined
    return { link, frame: { type: 'transfer', delivery, message: new EncodedMessage(bytes) } }
  }
  if (body.type !== 'value' || typeof body.value !== 'string') return undefined
  const frame = JSON.parse(body.value, (_key, field: unknown) =>
    isPairs(field) ? new Map(field.pairs) : field
  ) as Frame
  return { link, frame }
}

const isPairs = (field: unknown): field is { readonly pairs: [string, string][] } =>
  typeof field === 'object' && field !== null && 'pairs' in field && Array.isArray(field.pairs)
