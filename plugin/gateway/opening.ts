// Whether a CONNECT is let in: the user at the host, and the client id for this connection alone.
// Rule: it ends with both or with a named failure.

import { BridgeError } from '../errors.js'
import { spellingOf } from '../messages/peer.js'
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
  if (!spellingOf(parts.peer).canWrite(clientId))
    throw new BridgeError('clientIdRejected', `${JSON.stringify(clientId)} cannot be written into an address`)
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
