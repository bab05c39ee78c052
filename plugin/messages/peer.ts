// What the other parts of an address space are: ours, or the originals, which write client ids into addresses as they are and know
// no field of ours.
// Rule: in one space all write ids the same way, so no two spellings are one address. An id that would be read as another one's address
// is refused; what is kept for it from before stays where it is.

import { controlAddress, decodeClientAddress, decodeClientId, publishAddress } from './addresses.js'

/** As in the configuration: `services.peer`. */
export type Peer = 'ours' | 'original'

/** How a client id is written in its addresses. */
export interface Spelling {
  readonly control: (clientId: string) => string
  readonly publish: (clientId: string) => string
  /** The client of `$mqtt.to.<id>.publish`; undefined for all else, and for ids that may not be written so. */
  readonly clientOf: (publishAddress: string) => string | undefined
  /** Whether the id may be written so. */
  readonly canWrite: (clientId: string) => boolean
}

const PREFIX = '$mqtt.to.'
const PUBLISH = '.publish'
const CONTROL = '.control'

const ENCODED: Spelling = {
  control: controlAddress,
  publish: publishAddress,
  clientOf(address) {
    const client = decodeClientAddress(address)
    return client?.kind === 'publish' ? client.clientId : undefined
  },
  canWrite: () => true
}

/** What brokers take for a wildcard or a queue behind an address, wherever it stands. */
const AMBIGUOUS = /[#*]|::/

/** As it is; but not what a broker reads as more than one address, nor what a host reads as the encoded form of another id. */
function isPlainEnough(clientId: string): boolean {
  const decoded = decodeClientId(clientId)
  return clientId !== '' && !AMBIGUOUS.test(clientId) && (decoded === undefined || decoded === clientId)
}

const RAW: Spelling = {
  control: clientId =>
    isPlainEnough(clientId) ? `${PREFIX}${clientId}${CONTROL}` : controlAddress(clientId),
  publish: clientId =>
    isPlainEnough(clientId) ? `${PREFIX}${clientId}${PUBLISH}` : publishAddress(clientId),
  clientOf(address) {
    if (!address.startsWith(PREFIX) || !address.endsWith(PUBLISH)) return undefined
    const clientId = address.slice(PREFIX.length, -PUBLISH.length)
    return isPlainEnough(clientId) ? clientId : undefined
  },
  canWrite: isPlainEnough
}

export const spellingOf = (peer: Peer): Spelling => (peer === 'original' ? RAW : ENCODED)
