// A publication as MQTT and AMQP share it: what the session, the gateway and the services pass on.
// Rule: a new property of MQTT 5.0 is one field here and one mapping in publish.ts.

import type { Qos } from '../mqtt/packets.js'

export interface Publication {
  /** topic name */
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: Qos
  /** the publisher's RETAIN flag: what to do with it at the service, not what a subscriber is told */
  readonly retain: boolean
  /** a copy that the Subscription Service replayed */
  readonly retained?: boolean | undefined
  /** inbound: the publisher's DUP flag; outbound: it was delivered before */
  readonly dup: boolean
  /** the publisher's packet id, with QoS > 0 */
  readonly packetId?: number | undefined
  /** 16 bytes that identify the publication in stores and duplicate detection */
  readonly uid?: Uint8Array | undefined
  /** the publisher's client id */
  readonly clientId?: string | undefined
  readonly contentType?: string | undefined
  /** 1: the payload is UTF-8 text */
  readonly payloadFormat?: 0 | 1 | undefined
}
