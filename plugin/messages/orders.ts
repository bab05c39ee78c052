// Orders of the Subscription Service to whoever serves a client now: `disconnect`, sent to the control address it named.
// Rule: an order is obeyed when its answer comes (`disconnected`, requests.ts), not when something on the way took the message.

import type { Message } from '../host.js'
import { decodeClientAddress, publishAddress } from './addresses.js'

export interface DisconnectOrder {
  /** decoded */
  readonly clientId: string
  /** the one to be ended */
  readonly connection: string
  /** MQTT 5.0 reason code */
  readonly reason: number
}

export const encodeDisconnect = (to: string, { clientId, connection, reason }: DisconnectOrder): Message => ({
  durable: false,
  deliveryCount: 0,
  annotations: new Map(),
  properties: { to, subject: 'disconnect', correlationId: publishAddress(clientId) },
  applicationProperties: new Map<string, string | number>([
    ['reason', reason],
    ['connection', connection]
  ]),
  body: { type: 'none' }
})

/** Reads an order; undefined for any other message: on a control address only what is known counts. */
export function decodeDisconnect({
  properties,
  applicationProperties
}: Message): DisconnectOrder | undefined {
  const { subject, correlationId } = properties
  if (subject !== 'disconnect' || typeof correlationId !== 'string') return undefined
  const address = decodeClientAddress(correlationId)
  const connection = applicationProperties.get('connection')
  if (address?.kind !== 'publish' || typeof connection !== 'string') return undefined
  const reason = applicationProperties.get('reason')
  return { clientId: address.clientId, connection, reason: typeof reason === 'number' ? reason : UNSPECIFIED }
}

const UNSPECIFIED = 0x80
