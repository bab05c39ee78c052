// What a CONNECT takes: the user at the host, the client id for this connection alone, the session's start at the service; and what
// the service is told of that session later.
// Rule: it ends with everything or with a named failure; after a failure nothing stays attached.

import { BridgeError, CONDITIONS } from '../errors.js'
import type { Authentication, Principal } from '../host.js'
import type { OpenRequest } from '../session/types.js'
import type { ClientIdentity } from './client-subscriptions.js'
import type { RegisteredClient } from './clients.js'
import type { GatewayParts } from './gateway-parts.js'
import type { InboxClient } from './inbox.js'

/** Resolves with the user, who has the client id for this connection alone; rejects with BridgeError. */
export async function admit(
  parts: GatewayParts,
  client: RegisteredClient,
  { clientId, credentials }: OpenRequest
): Promise<Principal> {
  const principal = principalOf(await authenticate(parts, credentials))
  if (!(await principal.mayUse(clientId))) {
    throw new BridgeError(
      'clientIdRejected',
      `user ${principal.name} may not use client id ${JSON.stringify(clientId)}`
    )
  }
  await parts.clients.claim(clientId, client)
  return principal
}

/** Resolves when the service has the session; rejects with BridgeError. */
export async function announce(
  { space, requests, control }: GatewayParts,
  { clientId, connection, principal }: ClientIdentity
): Promise<void> {
  const outcome = await requests.send({
    type: 'close',
    clientId,
    connection,
    user: principal.name,
    replyTo: control.address,
    delivery: 'inbox',
    end: false,
    resume: false
  })
  if (outcome.type === 'accepted') return
  const detail =
    outcome.type === 'rejected' ? `${outcome.condition}: ${outcome.description}` : 'no answer in time'
  throw new BridgeError('serverUnavailable', `the subscription service of ${space.name}: ${detail}`)
}

/** Tells a service that may not know it of a session that goes on; ends a client whose id was taken meanwhile. */
export async function announceAgain(
  { requests, control, inbox }: GatewayParts,
  client: RegisteredClient & InboxClient,
  { clientId, connection, principal }: ClientIdentity
): Promise<void> {
  const identity = { clientId, connection, user: principal.name }
  const announced = requests.resume({
    type: 'close',
    ...identity,
    replyTo: control.address,
    delivery: 'inbox',
    end: false,
    resume: true
  })
  const filters = inbox.grantedTo(client)
  if (filters.size > 0)
    void requests.resume({ type: 'subscribe', ...identity, filters, delivery: 'inbox', partial: true })
  const outcome = await announced
  if (outcome.type === 'rejected' && outcome.condition === CONDITIONS.notAllowed)
    await client.end(new BridgeError('sessionTakenOver', 'a connection elsewhere has this client id'))
}

/** Tells the service that the session ended with its connection; nobody waits for the answer. */
export function announceEnd({ requests }: GatewayParts, clientId: string, connection: string): void {
  void requests.send({ type: 'close', clientId, connection, delivery: 'inbox', end: true, resume: false })
}

async function authenticate(
  { space }: GatewayParts,
  credentials: OpenRequest['credentials']
): Promise<Authentication> {
  try {
    return await space.authenticate(credentials)
  } catch (error) {
    throw new BridgeError('serverUnavailable', `the host could not check the user: ${String(error)}`)
  }
}

function principalOf(authentication: Authentication): Principal {
  if ('principal' in authentication) return authentication.principal
  const { refused, description } = authentication
  switch (refused) {
    case 'bad-credentials':
      throw new BridgeError('badCredentials', description)
    case 'not-authorized':
      throw new BridgeError('notAuthorized', description)
    case 'unavailable':
      throw new BridgeError('serverUnavailable', description)
    default:
      return refused satisfies never
  }
}
