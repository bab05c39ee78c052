// Failures that have a name: one table from code to the MQTT answer and the AMQP condition.
// Rule: what a peer or a host can cause is one of these; anything else is a bug and throws.

/** AMQP 1.0 error: `condition` is a symbol of the AMQP texts (`amqp:not-found`), `info` as in the error type. */
export class AmqpError extends Error {
  readonly condition: string
  readonly description: string
  readonly info: ReadonlyMap<string, string> | undefined

  constructor(condition: string, description: string, info?: ReadonlyMap<string, string>) {
    super(`${condition}: ${description}`)
    this.name = 'AmqpError'
    this.condition = condition
    this.description = description
    this.info = info
  }
}

/** The conditions that the plugin itself gives, and what they mean where it gives them. */
export const CONDITIONS = {
  /** a body, subject or field that cannot be read */
  decodeError: 'amqp:decode-error',
  /** a subject, or a kind of link, that nobody serves */
  notImplemented: 'amqp:not-implemented',
  /** understood and refused: a former connection, an exclusive consumer, a reserved address */
  notAllowed: 'amqp:not-allowed',
  unauthorized: 'amqp:unauthorized-access',
  notFound: 'amqp:not-found',
  resourceLimit: 'amqp:resource-limit-exceeded',
  resourceLocked: 'amqp:resource-locked',
  resourceDeleted: 'amqp:resource-deleted',
  /** part of a request failed (AMQP_SUBSCRIBE with `partial`) */
  preconditionFailed: 'amqp:precondition-failed',
  internalError: 'amqp:internal-error',
  /** the host's connection is gone */
  connectionForced: 'amqp:connection:forced',
  detachForced: 'amqp:link:detach-forced',
  messageSize: 'amqp:link:message-size-exceeded'
} as const

/** The outcome that says `error` to a peer: an AmqpError as it is, anything else as an internal error. */
export function rejectionOf(error: unknown): {
  readonly type: 'rejected'
  readonly condition: string
  readonly description: string
  readonly info: ReadonlyMap<string, string> | undefined
} {
  if (error instanceof AmqpError) {
    const { condition, description, info } = error
    return { type: 'rejected', condition, description, info }
  }
  return {
    type: 'rejected',
    condition: CONDITIONS.internalError,
    description: String(error),
    info: undefined
  }
}

interface FailureRow {
  /** CONNACK return code of MQTT 3.1 and 3.1.1, where the failure answers a CONNECT */
  readonly connack?: 1 | 2 | 3 | 4 | 5
  /** MQTT 5.0 reason code, for CONNACK and DISCONNECT */
  readonly reason: number
  readonly description: string
}

/** Why a client's connection ends, when it is not the client's wish. */
export const FAILURES = {
  malformedPacket: { reason: 0x81, description: 'a packet that cannot be read' },
  protocolError: { reason: 0x82, description: 'a packet that may not come now or so' },
  packetTooLarge: { reason: 0x95, description: 'a packet over the limit of the configuration' },
  protocolVersion: { connack: 1, reason: 0x84, description: 'a protocol level that is not served' },
  clientIdRejected: { connack: 2, reason: 0x85, description: 'a client id that is not allowed' },
  serverUnavailable: { connack: 3, reason: 0x88, description: 'the host or a service did not answer' },
  notSupported: { connack: 3, reason: 0x83, description: 'a feature that this version does not have' },
  badCredentials: { connack: 4, reason: 0x86, description: 'a wrong user name or password' },
  notAuthorized: { connack: 5, reason: 0x87, description: 'the user has no right to do so' },
  topicNameInvalid: { reason: 0x90, description: 'a topic name that cannot be published to' },
  topicFilterInvalid: { reason: 0x8f, description: 'a topic filter that cannot be subscribed to' },
  publishRejected: { reason: 0x80, description: 'the host did not take a publication' },
  unsubscribeRejected: { reason: 0x80, description: 'the service did not take an UNSUBSCRIBE' },
  keepAliveTimeout: { reason: 0x8d, description: 'nothing came for one and a half times the keep alive' },
  connectTimeout: { reason: 0x8d, description: 'no CONNECT came in time' },
  connectionLost: { reason: 0x80, description: 'the socket went without DISCONNECT' },
  sessionTakenOver: { reason: 0x8e, description: 'another connection uses this client id' },
  slowConsumer: { reason: 0x97, description: 'the client reads too slowly for its QoS' },
  sourceLost: { reason: 0x8b, description: 'the host lost messages of a subscription with QoS > 0' },
  serverShuttingDown: { connack: 3, reason: 0x8b, description: 'the gateway stops' }
} as const satisfies Record<string, FailureRow>

export type FailureCode = keyof typeof FAILURES

/** A named failure of one client's connection; `code` is a row of FAILURES, `detail` says what exactly was wrong. */
export class BridgeError extends Error {
  readonly code: FailureCode
  readonly detail: string

  constructor(code: FailureCode, detail: string) {
    super(`${code}: ${detail}`)
    this.name = 'BridgeError'
    this.code = code
    this.detail = detail
  }

  /** MQTT 3.1.1 CONNACK return code for this failure, undefined where the specification has none: just close. */
  get connack(): FailureRow['connack'] {
    const row: FailureRow = FAILURES[this.code]
    return row.connack
  }

  /** MQTT 5.0 reason code. */
  get reason(): number {
    return FAILURES[this.code].reason
  }
}
