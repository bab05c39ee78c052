// What processes of the plugin that share a broker tell each other about the addresses that they serve.
// Rule: the place of a server is a queue of the broker with one consumer, and what is in the queue says where that one listens. Both
// sides read and write with what is here.

import type { LinkClosed, LinkError, Message } from '../../../plugin/host.js'
import { decodeClientId, encodeClientId, isOwnedAddress } from '../../../plugin/messages/addresses.js'

/** Where the listener of a process is, and what proves to it that somebody may read the plugin's queues. */
export interface Whereabouts {
  readonly host: string
  readonly port: number
  readonly key: string
}

/** Who logs in at a listener with its key. */
export const SERVICE_LOGIN = 'mqtt-over-amqp'

/** Before an address: served by the one who is asked, or by nobody. No client id is written like this. */
const HERE = '$mqtt.%.here.'
const SERVED = '$mqtt.store.served.'
const READERS = '$mqtt.store.readers.'

/** Nodes of the broker. */
const NODES = /^\$mqtt\.(?:(?:to|gw|reply|store|sub|%)\.|.*\.pubrel$)/su

/** Ends a forwarded link whose client vanished. */
export const LINK_LOST: LinkError = {
  condition: 'mqtt-over-amqp:link-lost',
  description: 'the client is gone'
}

/** How a link ended that its client's side closes with `error`. */
export function closedBy(error: LinkError | undefined): LinkClosed {
  if (error === undefined) return { cause: 'clean' }
  return error.condition === LINK_LOST.condition ? { cause: 'lost' } : { cause: 'error', error }
}

/** True for what may be served by one of us, and is no node of the broker. */
export const isServable = (address: string): boolean => isOwnedAddress(address) && !NODES.test(address)

export const hereAddress = (address: string): string => `${HERE}${address}`

/** `here`: asked by a process that knows that it is served there. */
export function readAddress(asked: string): { readonly address: string; readonly here: boolean } {
  const here = asked.startsWith(HERE)
  return { address: here ? asked.slice(HERE.length) : asked, here }
}

/** The place of the one who serves an address. */
export const placeOf = (address: string): string => `${SERVED}${encodeClientId(address)}`
/** The place of the one who serves those who receive from addresses with a prefix. */
export const readersPlaceOf = (prefix: string): string => `${READERS}${encodeClientId(prefix)}`
/** What the names of all those places begin with. */
export const READERS_PLACES = READERS

/** True where `place` is of one who serves readers of `address`. */
export function isReadersPlaceFor(place: string, address: string): boolean {
  const prefix = place.startsWith(READERS) ? decodeClientId(place.slice(READERS.length)) : undefined
  return prefix !== undefined && address.startsWith(prefix)
}

/** Not durable: a broker that starts again has no consumer at that place either. */
export function makeAnnouncement({ host, port, key }: Whereabouts): Message {
  return {
    durable: false,
    deliveryCount: 0,
    annotations: new Map(),
    properties: { subject: 'served' },
    applicationProperties: new Map<string, string | number>([
      ['host', host],
      ['port', port],
      ['key', key]
    ]),
    body: { type: 'data', sections: [new Uint8Array()] }
  }
}

/** undefined: something else */
export function readAnnouncement({ properties, applicationProperties }: Message): Whereabouts | undefined {
  const [host, port, key] = ['host', 'port', 'key'].map(name => applicationProperties.get(name))
  if (properties.subject !== 'served' || typeof host !== 'string') return undefined
  return typeof port === 'number' && typeof key === 'string' ? { host, port, key } : undefined
}
