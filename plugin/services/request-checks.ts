// What a request to the Subscription Service may ask for: the rights of its user, and the filters that can be subscribed to.
// Rule: a refusal names what was refused, and the service lends nobody its own rights.

import type { Config } from '../config.js'
import { AmqpError, CONDITIONS } from '../errors.js'
import type { Principal } from '../host.js'
import { controlAddress, isOwnedAddress, isReplyNode } from '../messages/addresses.js'
import { listed, quoted } from '../messages/quoted.js'
import type { SubscriptionRequest } from '../messages/requests.js'
import type { Qos } from '../mqtt/packets.js'
import { isReservedTopic, isValidTopicFilter } from '../mqtt/topic.js'

/** What the info of a refusal may have: an outcome is one frame. */
const MAX_INFO_BYTES = 8192
const INFO_ENTRY_BYTES = 16

/** A gateway asked for its users before; a pure AMQP client acts for itself. Rejects with AmqpError. */
export async function authorize(user: Principal | 'service', request: SubscriptionRequest): Promise<void> {
  if (user === 'service') return
  const { clientId } = request
  if (!(await user.mayUse(clientId))) {
    throw new AmqpError(
      CONDITIONS.unauthorized,
      `user ${user.name} may not use client id ${quoted(clientId)}`
    )
  }
  if ((request.type === 'list' || request.type === 'close') && request.replyTo !== undefined)
    await authorizeReply(user, clientId, 'reply-to', request.replyTo)
  if (request.type !== 'subscribe') return
  if (request.replayTo !== undefined) await authorizeReply(user, clientId, 'replay-to', request.replayTo)
  const refused: string[] = []
  for (const filter of request.filters.keys()) if (!(await user.mayReceive(filter))) refused.push(filter)
  if (refused.length > 0) {
    throw new AmqpError(
      CONDITIONS.unauthorized,
      `user ${user.name} may not receive ${listed(refused, quoted)}`
    )
  }
}

/** The service lends nobody its right to send: replies and orders go to the user's own control address, to a reply node, or where the user may send. */
async function authorizeReply(
  user: Principal,
  clientId: string,
  field: 'reply-to' | 'replay-to',
  address: string
): Promise<void> {
  if (address === controlAddress(clientId) || isReplyNode(address)) return
  if (!isOwnedAddress(address) && (await user.maySend(address))) return
  throw new AmqpError(
    CONDITIONS.notAllowed,
    `${field} ${quoted(address)} is not an address of client ${clientId}`
  )
}

/** Filter → why not. `held`: those the session has. */
export function badFilters(
  held: ReadonlyMap<string, Qos> | undefined,
  filters: ReadonlyMap<string, Qos>,
  { filtersPerClient, topicLevels, topicBytes }: Config['limits']
): Map<string, string> {
  const bad = new Map<string, string>()
  let count = held?.size ?? 0
  for (const filter of filters.keys()) {
    const fresh = held?.has(filter) !== true
    if (!isValidTopicFilter(filter, topicLevels) || Buffer.byteLength(filter) > topicBytes)
      bad.set(filter, 'is no valid topic filter')
    else if (isReservedTopic(filter)) bad.set(filter, 'is reserved')
    else if (fresh && count >= filtersPerClient)
      bad.set(filter, `is over the limit of ${filtersPerClient} filters`)
    else if (fresh) count += 1
  }
  return bad
}

/** The refusal of `bad`; its info has MQTT 5.0 reason codes as strings: 0x97 quota exceeded, 0x8f topic filter invalid. */
export function filtersRefused(bad: ReadonlyMap<string, string>): AmqpError {
  const which = listed([...bad], ([filter, why]) => `${quoted(filter)} ${why}`)
  const codes = [...bad].map(
    ([filter, why]) => [filter, String(why.startsWith('is over') ? 0x97 : 0x8f)] as const
  )
  return new AmqpError(
    CONDITIONS.preconditionFailed,
    `filters that cannot be subscribed to: ${which}`,
    canBeNamed(bad) ? new Map(codes) : undefined
  )
}

/** A refusal of these fits into an outcome with each of them named; where it does not, the whole request is refused. */
export function canBeNamed(bad: ReadonlyMap<string, string>): boolean {
  let bytes = 0
  for (const filter of bad.keys()) bytes += Buffer.byteLength(filter) + INFO_ENTRY_BYTES
  return bytes <= MAX_INFO_BYTES
}

/** What a connection is told that does not have its client's session, or not any more. */
export const superseded = (clientId: string, connection: string): AmqpError =>
  new AmqpError(
    CONDITIONS.notAllowed,
    `connection ${connection} is not the one that client ${clientId} uses now`
  )
