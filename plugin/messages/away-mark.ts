// The mark that a gateway puts into a durable session's queue when its client has come back, where publications with QoS 0 are not
// kept for clients that are away: what is before it came while nobody was there.
// Rule: only a message to the queue's own address is a mark, since nobody may publish to that; one of a former connection says nothing.

import type { Message } from '../host.js'

const SUBJECT = 'came-back'

/** `queue`: `$mqtt.to.<id>.publish`. */
export const encodeAwayMark = (queue: string, connection: string): Message => ({
  durable: true,
  deliveryCount: 0,
  annotations: new Map(),
  properties: { to: queue, subject: SUBJECT },
  applicationProperties: new Map([['connection', connection]]),
  body: { type: 'none' }
})

/** Which connection put the mark there; undefined: the message is none. */
export function decodeAwayMark(
  { properties: { to, subject }, applicationProperties }: Message,
  queue: string
): string | undefined {
  if (subject !== SUBJECT || to !== queue) return undefined
  const connection = applicationProperties.get('connection')
  return typeof connection === 'string' ? connection : ''
}
