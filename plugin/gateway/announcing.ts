// What the Subscription Service is told of a client's session: that it begins, that it goes on, that it is over.
// Rule: it ends with the service's consent or with a named failure. A session that ends with its connection is closed when that
// ends; one that outlives it is listed, and left alone.

import { AmqpError, BridgeError, CONDITIONS, rejectionOf } from '../errors.js'
import type { Outcome } from '../host.js'
import { publishAddress } from '../messages/addresses.js'
import type { CloseRequest, ListRequest } from '../messages/requests.js'
import type { Qos } from '../mqtt/packets.js'
import type { ClientIdentity } from './client-subscriptions.js'
import type { GatewayParts } from './gateway-parts.js'
import type { ListReply } from './list-replies.js'
import { listOfOriginal } from './original-service.js'

/** A session that dies with its connection begins, and what was there before is gone. Rejects with BridgeError. */
export async function announce(parts: GatewayParts, identity: ClientIdentity): Promise<void> {
  const outcome = await parts.requests.send(closeOf(parts, identity, false))
  if (outcome.type !== 'accepted') throw unavailable(parts, outcome)
}

/** A session that outlives its connection begins, or goes on: as the service has it. Rejects with BridgeError. */
export async function announceDurable(parts: GatewayParts, identity: ClientIdentity): Promise<ListReply> {
  const { requests, control, config } = parts
  const { clientId, connection } = identity
  if (parts.peer === 'original') return listOfOriginal(parts, identity)
  let timer: NodeJS.Timeout | undefined
  try {
    const reply = control.lists.expect(clientId, connection)
    const outcome = await requests.send(listOf(parts, identity, false))
    if (outcome.type !== 'accepted') throw unavailable(parts, outcome)
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(unavailable(parts, { type: 'released' })), config().services.timeoutMs)
    })
    return await Promise.race([reply, late])
  } finally {
    clearTimeout(timer)
    control.lists.forget(connection)
  }
}

/** Whether this connection still has its durable session: rejects with BridgeError where it has not, with AmqpError where nobody says. */
export async function confirmDurable(parts: GatewayParts, identity: ClientIdentity): Promise<void> {
  // nobody else says who has it; whoever comes there closes this one's link to the queue
  if (parts.peer === 'original') return
  const outcome = await parts.requests.send(listOf(parts, identity, true))
  if (outcome.type === 'accepted') return
  if (isTakenOver(outcome)) throw takenOver()
  const { condition, description } = outcome.type === 'rejected' ? outcome : rejectionOf('no answer in time')
  throw new AmqpError(condition, description)
}

/** Tells a service that may not know it of a session that goes on; what it is: its filters in the inbox, or nothing where it is durable. */
export async function announceAgain(
  parts: GatewayParts,
  identity: ClientIdentity,
  filters: ReadonlyMap<string, Qos> | undefined
): Promise<void> {
  const { requests } = parts
  // it has its durable sessions from where it keeps them, and does not know the others
  if (parts.peer === 'original') return
  const announced =
    filters === undefined
      ? requests.resume(listOf(parts, identity, true))
      : requests.resume(closeOf(parts, identity, true))
  if (filters !== undefined && filters.size > 0) {
    const { clientId, connection, principal } = identity
    const session = { clientId, connection, user: principal.name }
    void requests.resume({ type: 'subscribe', ...session, filters, delivery: 'inbox', partial: true })
  }
  if (isTakenOver(await announced)) throw takenOver()
}

/** Tells the service that a session ended with its connection; nobody waits for the answer. */
export function announceEnd({ requests, peer }: GatewayParts, clientId: string, connection: string): void {
  // to an original it would be the end of whatever session the client has by now
  if (peer === 'original') return
  void requests.send({ type: 'close', clientId, connection, delivery: 'inbox', end: true, resume: false })
}

const closeOf = (
  { control }: GatewayParts,
  { clientId, connection, principal }: ClientIdentity,
  resume: boolean
): CloseRequest => ({
  type: 'close',
  ...{ clientId, connection, user: principal.name, replyTo: control.address },
  ...{ delivery: 'inbox', end: false, resume }
})

const listOf = (
  { control }: GatewayParts,
  { clientId, connection, principal }: ClientIdentity,
  resume: boolean
): ListRequest => ({
  type: 'list',
  ...{ clientId, connection, user: principal.name, replyTo: control.address },
  ...{ correlationId: publishAddress(clientId), resume }
})

function unavailable({ space }: GatewayParts, outcome: Outcome): BridgeError {
  const detail =
    outcome.type === 'rejected' ? `${outcome.condition}: ${outcome.description}` : 'no answer in time'
  return new BridgeError('serverUnavailable', `the subscription service of ${space.name}: ${detail}`)
}

const isTakenOver = (outcome: Outcome): boolean =>
  outcome.type === 'rejected' && outcome.condition === CONDITIONS.notAllowed

const takenOver = (): BridgeError =>
  new BridgeError('sessionTakenOver', 'a connection elsewhere has this client id')
