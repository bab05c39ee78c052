// The replay of retained messages: the end of what one AMQP_SUBSCRIBE with `replay-to` gets.
// Rule: the copies come first, then this marker, over the same link; a session's own queue gets copies and no marker.

import type { Message } from '../host.js'
import { publishAddress } from './addresses.js'

const SUBJECT = 'replayed'

/** The marker for a client; `packetId`: of the AMQP_SUBSCRIBE. */
export const encodeReplayed = (to: string, clientId: string, packetId: number | undefined): Message => ({
  durable: false,
  deliveryCount: 0,
  annotations: new Map(),
  properties: { to, subject: SUBJECT, correlationId: publishAddress(clientId), messageId: packetId },
  applicationProperties: new Map(),
  body: { type: 'none' }
})

/** True for the marker that ends a replay. Only where replays come: a publication may have any subject. */
export const isReplayed = ({ properties }: Message): boolean =>
  properties.subject === SUBJECT &&
  properties.to !== undefined &&
  typeof properties.correlationId === 'string'
