// What one MQTT connection is counted as: its CONNECT once, by protocol version and outcome, and its end once, by reason;
// and how loud its end is in the log.
// Rule: a connection that never came to a CONNECT has no outcome of one.

import { BridgeError, type FailureCode } from '../errors.js'
import type { InboundPacket } from '../mqtt/packets.js'
import type { GatewayParts } from './gateway-parts.js'

const VERSIONS = { 3: '3.1', 4: '3.1.1', 5: '5.0' } as const

/** Ends that are nobody's fault. */
const ORDINARY: ReadonlySet<FailureCode> = new Set([
  'connectionLost',
  'serverShuttingDown',
  'sessionTakenOver'
])

/** The log level of a connection's end. */
export function levelOfEnd({ code }: BridgeError): 'debug' | 'warn' {
  return ORDINARY.has(code) ? 'debug' : 'warn'
}

export class ConnectionCounts {
  readonly #counters: GatewayParts['counters']
  /** of a CONNECT that was not counted yet */
  #protocol: string | undefined

  constructor(counters: GatewayParts['counters']) {
    this.#counters = counters
  }

  /** What came before the connection was open. */
  received(packet: InboundPacket | BridgeError): void {
    if (packet instanceof BridgeError) {
      if (packet.code === 'protocolVersion') this.#protocol = 'other'
    } else if (packet.cmd === 'connect') this.#protocol = VERSIONS[packet.protocolVersion]
  }

  accepted(): void {
    this.#connect('accepted')
  }

  /** No error: the client said DISCONNECT. Once. */
  ended(error: BridgeError | undefined): void {
    const reason = error?.code ?? 'disconnect'
    this.#connect(reason)
    this.#counters.disconnects(reason).add(1)
  }

  #connect(outcome: string): void {
    if (this.#protocol === undefined) return
    this.#counters.connects(this.#protocol, outcome).add(1)
    this.#protocol = undefined
  }
}
