// The login of an AMQP client: SASL on a fresh socket.
// Rule: nobody gets past without a mechanism that we offered; one try, then the socket ends; until then a client can make us hold one
// small frame. A client that skips SASL, as AMQP allows, is one that comes as ANONYMOUS: let in only where that is offered.

import type { Socket } from 'node:net'
import type { AddressSpace, Credentials, Logger, Principal } from '../../../plugin/host.js'
import type { FrameReader } from '../frame-reader.js'
import { AMQP_HEADER, readSaslInit, SASL_HEADER, saslMechanisms, saslOutcome } from '../sasl-server.js'
import type { CoreSpace } from './bridge.js'
import type { SaslMechanism } from '../sasl-server.js'

type Authenticator = Pick<AddressSpace, 'authenticate'> & Pick<CoreSpace, 'service'>
type Answer = Principal | 'service'

/** The mechanisms that can work for somebody: ANONYMOUS only where nobody needs a name. */
async function offeredMechanisms(space: Authenticator): Promise<readonly SaslMechanism[]> {
  const anonymous = await space.authenticate({ mechanism: 'ANONYMOUS' })
  return 'principal' in anonymous ? ['PLAIN', 'ANONYMOUS'] : ['PLAIN']
}

/** Who it is; undefined: refused, or gone. The socket is paused then. Throws AmqpError for what is not SASL. */
export async function login(
  socket: Socket,
  reader: FrameReader,
  space: Authenticator,
  log: Logger
): Promise<Answer | undefined> {
  const header = await pull(socket, reader, () => reader.header())
  if (header === undefined) return undefined
  if (header.equals(AMQP_HEADER)) {
    const anonymous = await space.authenticate({ mechanism: 'ANONYMOUS' })
    reader.unread(header)
    if ('principal' in anonymous) return anonymous.principal
  }
  if (!header.equals(SASL_HEADER)) {
    log.warn({ peer: peerOf(socket) }, 'an AMQP client did not log in with SASL')
    socket.end(SASL_HEADER) // what we speak (part 2, section 2.2)
    return undefined
  }
  const offered = await offeredMechanisms(space)
  socket.write(saslMechanisms(offered))
  const init = await pull(socket, reader, () => reader.frame('sasl'))
  if (init === undefined) return undefined
  return await authenticate(socket, space, readSaslInit(init, offered), log)
}

async function authenticate(
  socket: Socket,
  space: Authenticator,
  credentials: Credentials | undefined,
  log: Logger
): Promise<Answer | undefined> {
  if (credentials === undefined) {
    log.warn({ peer: peerOf(socket) }, 'an AMQP client asked for a SASL mechanism that is not offered')
    socket.end(saslOutcome('auth'))
    return undefined
  }
  if (space.service?.knows(credentials) === true) {
    socket.write(saslOutcome('ok'))
    return 'service'
  }
  const answer = await space.authenticate(credentials).catch((error: unknown) => {
    log.error({ err: error }, 'an AMQP client could not be authenticated')
    return { refused: 'unavailable', description: 'the authentication failed' } as const
  })
  if ('principal' in answer) {
    socket.write(saslOutcome('ok'))
    return answer.principal
  }
  const { refused, description } = answer
  const user = credentials.mechanism === 'PLAIN' ? credentials.username : undefined
  log.warn({ peer: peerOf(socket), user, refused, description }, 'the login of an AMQP client was refused')
  socket.end(saslOutcome(refused === 'unavailable' ? 'temporary' : 'auth'))
  return undefined
}

/** What `take` gives once enough has come; undefined: the socket closed first. Rejects with what `take` throws. */
function pull<T>(socket: Socket, reader: FrameReader, take: () => T | undefined): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      socket.pause()
      socket.off('data', onData)
      socket.off('close', onClose)
    }
    const attempt = (): void => {
      try {
        const taken = take()
        if (taken === undefined) return
        finish()
        resolve(taken)
      } catch (error) {
        finish()
        reject(error)
      }
    }
    const onData = (chunk: Buffer): void => {
      reader.push(chunk)
      attempt()
    }
    const onClose = (): void => {
      finish()
      resolve(undefined)
    }
    if (socket.destroyed) return resolve(undefined)
    socket.on('data', onData)
    socket.on('close', onClose)
    socket.resume()
    attempt()
  })
}

export function peerOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`
}
