// The first bytes of every packet: its type, its flags, how long it is.
// Rule: what is wrong with a packet that these bytes can tell is found before anything else of it is read or kept.

import { BridgeError } from '../errors.js'

/** What a client may send, by the packet type in the first byte. `size`: of the rest, where there is only one. */
const TYPES: readonly (TypeRow | undefined)[] = [
  undefined,
  { cmd: 'connect', flags: 0 },
  undefined,
  { cmd: 'publish', flags: undefined },
  { cmd: 'puback', flags: 0, size: 2 },
  { cmd: 'pubrec', flags: 0, size: 2 },
  { cmd: 'pubrel', flags: 2, size: 2 }, // [MQTT3-3.6.1-1]
  { cmd: 'pubcomp', flags: 0, size: 2 },
  { cmd: 'subscribe', flags: 2 }, // [MQTT3-3.8.1-1]
  undefined,
  { cmd: 'unsubscribe', flags: 2 }, // [MQTT3-3.10.1-1]
  undefined,
  { cmd: 'pingreq', flags: 0, size: 0 },
  undefined,
  { cmd: 'disconnect', flags: 0, size: 0 }, // [MQTT3-3.14.1-1]
  undefined
]

interface TypeRow {
  readonly cmd:
    | 'connect'
    | 'publish'
    | 'puback'
    | 'pubrec'
    | 'pubrel'
    | 'pubcomp'
    | 'subscribe'
    | 'unsubscribe'
    | 'pingreq'
    | 'disconnect'
  /** undefined: each bit has a meaning of its own */
  readonly flags: number | undefined
  readonly size?: number
}

/** The most bytes that a fixed header has. */
export const MAX_HEADER_BYTES = 5

const DUP = 0x08

export interface FixedHeader {
  readonly cmd: TypeRow['cmd']
  readonly flags: number
  /** bytes of the fixed header */
  readonly headerBytes: number
  /** bytes of the packet, fixed header included */
  readonly packetBytes: number
}

/** The fixed header at `start`; undefined: not all of it is there yet. `version`: of MQTT, 3 for 3.1. */
export function readFixedHeader(
  bytes: Buffer,
  start: number,
  end: number,
  version: 3 | 4,
  maxPacketBytes: number
): FixedHeader | BridgeError | undefined {
  const first = bytes[start] ?? 0
  const flags = first & 0x0f
  const row = TYPES[first >> 4]
  if (row === undefined) return new BridgeError('protocolError', `packet type ${first >> 4}`)
  if (row.flags !== undefined && flags !== row.flags && !isMqtt31Dup(row.flags, flags, version)) {
    return new BridgeError('malformedPacket', `${row.cmd} with flags ${flags}`) // [MQTT3-2.2.2-1] [MQTT3-2.2.2-2]
  }
  let rest = 0
  let at = start + 1
  for (let factor = 1; ; factor *= 128) {
    if (at - start === MAX_HEADER_BYTES) return new BridgeError('malformedPacket', 'a length of five bytes')
    if (at === end) return undefined
    const byte = bytes[at++] ?? 0
    rest += (byte & 0x7f) * factor
    if (byte < 0x80) break
  }
  if (row.size !== undefined && rest !== row.size) {
    return new BridgeError('malformedPacket', `${row.cmd} of ${rest} bytes`)
  }
  const headerBytes = at - start
  const packetBytes = headerBytes + rest
  if (packetBytes > maxPacketBytes) return new BridgeError('packetTooLarge', `${packetBytes} bytes`)
  return { cmd: row.cmd, flags, headerBytes, packetBytes }
}

/** MQTT 3.1 sets DUP on SUBSCRIBE, UNSUBSCRIBE and PUBREL that are sent again. */
function isMqtt31Dup(required: number, flags: number, version: 3 | 4): boolean {
  return version === 3 && required === 2 && flags === (required | DUP)
}
