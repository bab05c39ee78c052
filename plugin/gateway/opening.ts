// What a CONNECT takes: the user at the host, the client id for this connection alone, the session's start at the service.
// Rule: it ends with everything or with a named failure; after a failure nothing stays attached.

import { BridgeError } from '../errors.js'
import type { Authentication, Principal } from '../host.js'
import type { OpenRequest } from '../session/types.js'
import type { RegisteredClient } from './clients.js'
import type { GatewayParts } from './gateway-parts.js'

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

/** Resolves when the service has the session; rejects with BridgeError. `connection`: the uuid of this CONNECT. */
export async function announce(
  { space, requests }: GatewayParts,
  principal: Principal,
  clientId: string,
  connection: string
): Promise<void> {
  const outcome = await requests.send({
    type: 'close',
    clientId,
    connection,
    user: principal.name,
    delivery: 'inbox',
    end: false
  })
  if (outcome.type === 'accepted') return
  const detail =
    outcome.type === 'rejected' ? `${outcome.condition}: ${outcome.description}` : 'no answer in time'
  throw new BridgeError('serverUnavailable', `the subscription service of ${space.name}: ${detail}`)
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
