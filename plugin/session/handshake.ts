// CONNECT: what may be opened, and what is refused with which return code.
// Rule: everything that the packet itself can tell is checked here, before host and service are asked.

import { BridgeError } from '../errors.js'
import type { FailureCode } from '../errors.js'
import type { Credentials } from '../host.js'
import type { ConnectPacket } from '../mqtt/packets.js'
import { refuse } from './actions.js'
import type { Action, SessionOptions } from './types.js'

/** Characters of a client id in MQTT 3.1. */
const MQTT31_CLIENT_ID = 23

const NO_PASSWORD = new Uint8Array(0)

/** The actions that a CONNECT asks for: `open`, or a refusal. */
export function connect(packet: ConnectPacket, options: SessionOptions): readonly Action[] {
  if (packet.protocolVersion === 5) {
    return refuseConnect('protocolVersion', 'protocol level 5') // [MQTT3-3.1.2-2]
  }
  const clientIdFault = findClientIdFault(packet)
  if (clientIdFault !== undefined) return refuseConnect('clientIdRejected', clientIdFault)
  const feature = findMissingFeature(packet)
  if (feature !== undefined) {
    const fields = { clientId: packet.clientId, feature }
    const warn: Action = { type: 'warn', message: 'a client asked for what is not there', fields }
    return [warn, ...refuseConnect('notSupported', feature)]
  }
  const request = {
    clientId: packet.clientId === '' ? options.makeClientId() : packet.clientId, // [MQTT3-3.1.3-6]
    cleanSession: packet.clean,
    credentials: credentialsOf(packet),
    protocolVersion: packet.protocolVersion,
    keepAliveS: packet.keepAliveS
  }
  return [{ type: 'open', request }]
}

function findClientIdFault({ clientId, protocolVersion, clean }: ConnectPacket): string | undefined {
  if (protocolVersion === 3) {
    const characters = [...clientId].length
    if (characters === 0) return 'MQTT 3.1 needs a client id'
    if (characters > MQTT31_CLIENT_ID) return `a client id of ${characters} characters in MQTT 3.1`
  }
  // [MQTT3-3.1.3-8]
  if (clientId === '' && !clean) return 'a session that is kept needs a client id'
  return undefined
}

function findMissingFeature(packet: ConnectPacket): string | undefined {
  if (packet.will !== undefined) return 'will'
  return undefined
}

function credentialsOf({ username, password }: ConnectPacket): Credentials {
  if (username === undefined) return { mechanism: 'ANONYMOUS' }
  return { mechanism: 'PLAIN', username, password: password ?? NO_PASSWORD }
}

function refuseConnect(code: FailureCode, detail: string): readonly Action[] {
  return refuse(new BridgeError(code, detail))
}
