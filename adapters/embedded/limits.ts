// How much the broker keeps in memory, per thing that a client can make.
// Rule: nothing that a client can fill grows without a bound from here.

export interface Limits {
  /** sends without an outcome, per sender */
  readonly senderCredit: number
  /** deliveries without an outcome, per receiver, whatever credit it gives */
  readonly unsettled: number
  /** bytes that wait for the receiver of a topic; past it a non-durable message is dropped, and a durable one ends the link */
  readonly subscriptionBytes: number
  /** bytes that wait in a reply node or control queue; past it messages are rejected */
  readonly volatileQueueBytes: number
  /** messages of a durable queue in memory while it has receivers; the rest is read when needed */
  readonly queueMessages: number
  /** bytes of the same */
  readonly queueBytes: number
  /** messages of a durable queue in memory while it has no receiver */
  readonly idleQueueMessages: number
  /** bytes of the same */
  readonly idleQueueBytes: number
  /** messages that leave a durable queue before it notes how far it is consumed: a restart may have to step over as many */
  readonly headLag: number
  /** ids of messages that are remembered, of all addresses together */
  readonly duplicateIds: number
}

export const DEFAULT_LIMITS: Limits = {
  senderCredit: 1000,
  unsettled: 10_000,
  subscriptionBytes: 16 << 20,
  volatileQueueBytes: 4 << 20,
  queueMessages: 1000,
  queueBytes: 4 << 20,
  idleQueueMessages: 100,
  idleQueueBytes: 256 << 10,
  headLag: 1000,
  duplicateIds: 200_000
}
