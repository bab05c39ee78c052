// A message in a queue.
// Rule: the sequence number says the order, and never changes or comes again in its queue.

import type { Message } from '../../plugin/host.js'
import { EncodedMessage } from '../rhea/message.js'

/** What a message takes in memory beside its bytes, roughly. */
const ENTRY_BYTES = 256
/** For bodies that would have to be encoded to know. */
const OTHER_BODY_BYTES = 256

export class Entry {
  readonly sequence: number
  readonly message: Message
  /** ms since 1970; Infinity: never */
  readonly expiresAt: number
  /** the store has it */
  readonly stored: boolean
  /** bytes in memory; 0 until somebody asked */
  size = 0
  /** failed deliveries here, beside the delivery-count that its sender wrote */
  failures = 0
  /** the store has `failures` */
  counted = false
  /** out of its queue for good */
  gone = false
  /** receivers that shall not get it again */
  refusedBy: WeakSet<object> | undefined

  constructor(sequence: number, message: Message, expiresAt: number, stored: boolean) {
    this.sequence = sequence
    this.message = message
    this.expiresAt = expiresAt
    this.stored = stored
  }
}

export const bySequence = (a: Entry, b: Entry): number => a.sequence - b.sequence

/**
 * ms since 1970 when the message expires by its ttl or its absolute-expiry-time, whichever is first; Infinity: never. 0 is
 * what clients write that have none.
 */
export function expiryOf(message: Message, now: () => number): number {
  const ttlMs = message.ttlMs ?? 0
  const expiryTime = message.properties.absoluteExpiryTime ?? 0
  return Math.min(ttlMs > 0 ? now() + ttlMs : Infinity, expiryTime > 0 ? expiryTime : Infinity)
}

/** Bytes that the message takes in memory, roughly. */
export const sizeOf = (message: Message): number => ENTRY_BYTES + bytesOf(message)

/** Bytes of the message itself: all of an encoded one, the body of another, roughly. */
export function bytesOf(message: Message): number {
  if (message instanceof EncodedMessage) return message.bytes.length
  const { body } = message
  if (body.type === 'data') return body.sections.reduce((sum, section) => sum + section.length, 0)
  if (body.type !== 'value') return OTHER_BODY_BYTES
  const { value } = body
  return typeof value === 'string' || value instanceof Uint8Array ? value.length : OTHER_BODY_BYTES
}
