// The boundary of the pure session core: events in, actions out. No I/O, no clock, no logger, no async in this folder.
// Rule: the core never waits; whatever takes time is an action with a `token`, and comes back as an event with that token.

import type { BridgeError } from '../errors.js'
import type { Credentials } from '../host.js'
import type { InboundPacket, OutboundPacket, Qos } from '../mqtt/packets.js'
import type { InFlightEntry } from '../messages/in-flight.js'
import type { Publication } from '../messages/publication.js'

/** Names an action that is answered by an event. Unique among those of a session that wait for their answer. */
export type Token = number

/** A publication for this client, from the inbox or from its queue; the core does not know which. */
export interface OutboundDelivery {
  readonly publication: Publication
  /** QoS of the oldest matching filter's source, already raised to the highest granted QoS of all that match */
  readonly grantedQos: Qos
  /** payload and topic in bytes, for bounds */
  readonly size: number
  /** the same when it comes again; undefined where nothing says so */
  readonly id?: string | undefined
  /** ends the delivery at its source, for the action `settle`; undefined where it ended when it came (inbox) */
  readonly settle?: ((outcome: DeliveryOutcome) => void) | undefined
}

/** `failed`: it was sent and not acknowledged; it comes again, and its delivery-count says so. */
export type DeliveryOutcome = 'accepted' | 'failed'

/** What the host made of one publication. `failed`: it may be tried again; `rejected`: never. */
export type PublishResult =
  | { readonly type: 'accepted' }
  | { readonly type: 'failed' }
  | { readonly type: 'rejected'; readonly reason: number; readonly description: string }

export interface RequestedFilter {
  readonly filter: string
  readonly qos: Qos
}

export type SessionEvent =
  | { readonly type: 'packet'; readonly packet: InboundPacket }
  /** bytes that are no packet, or a limit passed: packet-stream names the failure */
  | { readonly type: 'malformed'; readonly error: BridgeError }
  /** answer to `open`: the user is known, older connections of this client id are gone, the service accepted */
  | { readonly type: 'opened'; readonly sessionPresent: boolean }
  /** answer to `open` */
  | { readonly type: 'refused'; readonly error: BridgeError }
  /** answer to `send` */
  | { readonly type: 'outcome'; readonly token: Token; readonly result: PublishResult }
  /** answer to `subscribe`: granted QoS or reason code (>= 0x80) per requested entry; to `unsubscribe`: codes, 0 is well */
  | { readonly type: 'answered'; readonly token: Token; readonly codes: readonly number[] }
  /** answer to `subscribe` and `unsubscribe`: the service could not be reached or refused the whole */
  | { readonly type: 'unanswered'; readonly token: Token; readonly error: BridgeError }
  | { readonly type: 'delivery'; readonly delivery: OutboundDelivery }
  /** before the first delivery: what a former connection of this session was sending, in its order */
  | { readonly type: 'restored'; readonly inFlight: readonly InFlightEntry[] }
  /** the link to the session's queue was lost: all that was not settled comes again */
  | { readonly type: 'returned' }
  /** the socket's send buffer is full; publications wait in the session until `uncongested` */
  | { readonly type: 'congested' }
  | { readonly type: 'uncongested' }
  /** the bridge stopped reading the socket: the client's silence is no longer its own, and no deadline runs */
  | { readonly type: 'paused' }
  | { readonly type: 'resumed' }
  /** what the options say has changed, and counts from now on */
  | { readonly type: 'reconfigured' }
  /** `deadline` has passed */
  | { readonly type: 'timeout' }
  /** the gateway ends this session: takeover, shutdown, a lost source */
  | { readonly type: 'end'; readonly error: BridgeError }
  /** the socket is gone; answered by `close` like every other end */
  | { readonly type: 'disconnected' }

export interface OpenRequest {
  readonly clientId: string
  readonly cleanSession: boolean
  readonly credentials: Credentials
  /** 3: MQTT 3.1, 4: 3.1.1, 5: 5.0 */
  readonly protocolVersion: 3 | 4 | 5
  /** s; 0: none */
  readonly keepAliveS: number
}

export type Action =
  | { readonly type: 'open'; readonly request: OpenRequest }
  /** `publication`: what a PUBLISH was made from, so that its encoding can be shared with other clients */
  | {
      readonly type: 'write'
      readonly packet: OutboundPacket
      readonly publication?: Publication | undefined
    }
  /** one that failed is sent again under the same token */
  | { readonly type: 'send'; readonly token: Token; readonly publication: Publication }
  /** call the settle function of a delivery that has one; it may bring new events, which come after the actions of this one */
  | { readonly type: 'settle'; readonly delivery: OutboundDelivery; readonly outcome: DeliveryOutcome }
  | {
      readonly type: 'subscribe'
      readonly token: Token
      readonly packetId: number
      readonly filters: readonly RequestedFilter[]
    }
  | {
      readonly type: 'unsubscribe'
      readonly token: Token
      readonly packetId: number
      readonly filters: readonly string[]
    }
  /** count a publication that was dropped for this client */
  | { readonly type: 'dropped'; readonly qos: Qos }
  /** a peer broke a rule, or asked for what is not there, and is told so in the protocol: for the log */
  | { readonly type: 'warn'; readonly message: string; readonly fields: object }
  /** end the connection after what was written; nothing comes after it. No error: the client said DISCONNECT */
  | { readonly type: 'close'; readonly error?: BridgeError | undefined }

/**
 * Limits and switches of the session core, from the configuration. All sessions of a gateway share one such object: it changes under
 * them, and the event `reconfigured` says so.
 */
export interface SessionOptions {
  /** ms from the socket's start to CONNECT and from CONNECT to CONNACK */
  readonly connectTimeoutMs: number
  /** outbound QoS > 0 publications on their way at once */
  readonly receiveMaximum: number
  /**
   * bytes of publications that wait for the client; over it QoS 0 is dropped and QoS > 0 ends the connection. What its source keeps
   * until it is settled does not count
   */
  readonly bufferedBytes: number
  /** topic levels of a name or filter */
  readonly topicLevels: number
  /** bytes of a topic name or filter */
  readonly topicBytes: number
  /** how often a publication that the host did not take is sent again before the connection ends */
  readonly publishRetries: number
  /** makes a client id for a client that has none */
  readonly makeClientId: () => string
  /** makes the 16 bytes that identify a publication, however often it is sent to the host */
  readonly makeUid: () => Uint8Array
}
