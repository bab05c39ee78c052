// Who may send to and receive from which address.
// Rule: what the plugin owns is the plugin's; a user reaches its services, reply nodes, and the addresses of client ids that
// it may use. Everything else is asked of the user's rights.

import { decodeClientAddress, isOwnedAddress } from '../../plugin/messages/addresses.js'
import type { Identity } from '../rhea/listener/bridge.js'

/** Dynamic addresses: whoever was told one may send there. */
export const REPLY_PREFIX = '$mqtt.reply.'

const isDollar = (address: string): boolean => address.startsWith('$')

/** `served`: somebody serves the address. */
export function maySendTo(who: Identity, address: string, served: boolean): boolean | Promise<boolean> {
  if (who === 'service' || served || address.startsWith(REPLY_PREFIX)) return true
  if (!isDollar(address)) return who.maySend(address)
  const client = decodeClientAddress(address)
  if (client?.kind === 'pubrel') return who.mayUse(client.clientId)
  return !isOwnedAddress(address)
}

/** `address`: a queue or a topic filter. */
export function mayReceiveFrom(who: Identity, address: string): boolean | Promise<boolean> {
  if (who === 'service') return true
  if (!isDollar(address)) return who.mayReceive(address)
  const client = decodeClientAddress(address)
  if (client !== undefined) return who.mayUse(client.clientId)
  return !isOwnedAddress(address)
}
