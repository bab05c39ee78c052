// Addresses of the protocol: services, control addresses, client queues; and how a client id is written into one.
// Rule: no client id can name another client's address or a wildcard, and decoding takes only what encoding gives.

import type { Address } from '../host.js'

/** Address prefixes that belong to the plugin; a host keeps its own rules (clean-up, wildcards, users) away from them. */
export const OWNED_PREFIXES = ['$mqtt.', '$lwt', '$subctrl', '$retain.'] as const

/** What the names of all queues of sessions begin with. */
export const SESSION_QUEUES = '$mqtt.to.'

/** The Subscription Service answers on all of these; our gateway uses the first. */
export const SUBSCRIPTION_SERVICE_ADDRESSES = ['$mqtt.subscriptionservice', '$subctrl'] as const

export type ClientAddressKind = 'control' | 'publish' | 'pubrel'

export interface ClientAddress {
  /** decoded */
  readonly clientId: string
  readonly kind: ClientAddressKind
}

const WORDS = new Set([
  'to',
  'gw',
  'store',
  'reply',
  'sub',
  'lwtservice',
  'willservice',
  'subscriptionservice'
])

const encodeByte = (byte: number): string => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`

const isPlainByte = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || // 0-9
  (byte >= 0x41 && byte <= 0x5a) || // A-Z
  (byte >= 0x61 && byte <= 0x7a) || // a-z
  byte === 0x5f || // _
  byte === 0x2d // -

/** The client id as a part of an address: bytes outside [A-Za-z0-9_-] of its UTF-8 form percent-encoded. */
export function encodeClientId(clientId: string): string {
  if (/^[A-Za-z0-9_-]+$/.test(clientId)) {
    return WORDS.has(clientId) ? encodeByte(clientId.charCodeAt(0)) + clientId.slice(1) : clientId
  }
  let encoded = ''
  for (const byte of Buffer.from(clientId, 'utf8')) {
    encoded += isPlainByte(byte) ? String.fromCharCode(byte) : encodeByte(byte)
  }
  return encoded
}

/** The client id that `encoded` stands for; undefined where encodeClientId would not have written it so. */
export function decodeClientId(encoded: string): string | undefined {
  if (encoded === '') return undefined
  let clientId: string
  try {
    clientId = decodeURIComponent(encoded)
  } catch {
    return undefined // not UTF-8, or a lone %
  }
  return encodeClientId(clientId) === encoded ? clientId : undefined
}

export const controlAddress = (clientId: string): string => `$mqtt.to.${encodeClientId(clientId)}.control`
export const publishAddress = (clientId: string): string => `$mqtt.to.${encodeClientId(clientId)}.publish`
export const pubrelAddress = (clientId: string): string => `$mqtt.${encodeClientId(clientId)}.pubrel`
/** Control address of all clients of one gateway. */
export const gatewayControlAddress = (gatewayId: string): string => `$mqtt.gw.${gatewayId}.control`

/** True for an address that a host made for one receiver, and told it: whoever was told may send there. */
export const isReplyNode = (address: string): boolean => address.startsWith('$mqtt.reply.')

/** Reads `$mqtt.to.<id>.control`, `$mqtt.to.<id>.publish` and `$mqtt.<id>.pubrel`; undefined for all else. */
export function decodeClientAddress(address: string): ClientAddress | undefined {
  const parts = address.split('.')
  if (parts[0] !== '$mqtt') return undefined
  const [, first = '', second = '', third] = parts
  if (parts.length === 4 && first === 'to' && (third === 'control' || third === 'publish')) {
    const clientId = decodeClientId(second)
    return clientId === undefined ? undefined : { clientId, kind: third }
  }
  if (parts.length === 3 && second === 'pubrel') {
    const clientId = decodeClientId(first)
    return clientId === undefined ? undefined : { clientId, kind: 'pubrel' }
  }
  return undefined
}

/** True for `$mqtt.gw.<uuid>.control`. */
export const isGatewayControlAddress = (address: string): boolean =>
  /^\$mqtt\.gw\.[0-9a-fA-F-]+\.control$/.test(address)

/** True for the control address of a gateway, and of a client, whoever wrote its id into it and however. */
export const isControlAddress = (address: string): boolean =>
  isGatewayControlAddress(address) || /^\$mqtt\.to\..+\.control$/su.test(address)

export const isOwnedAddress = (address: string): boolean =>
  address.startsWith('$') && OWNED_PREFIXES.some(prefix => address.startsWith(prefix))

/** An address of the host that is a queue and no topic: nothing to subscribe to with MQTT. */
export const isHostQueue = (addresses: readonly Address[], address: string): boolean =>
  addresses.some(({ name, type }) => name === address && (type === 'queue' || type === 'anycast'))
