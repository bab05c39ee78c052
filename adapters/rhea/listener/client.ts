// One AMQP client: login, then its links bridged to a connection of the core.
// Rule: the core's connection ends when the client's does, and the same way: closed when the client said so, lost otherwise.

import type { Socket } from 'node:net'
import { AmqpError, CONDITIONS } from '../../../plugin/errors.js'
import type { LinkError, Logger, Message, Principal } from '../../../plugin/host.js'
import { FrameReader } from '../frame-reader.js'
import type { EncodedMessage } from '../message.js'
import { SASL_MAX_FRAME_SIZE } from '../sasl-server.js'
import { ServerConnection } from '../server-connection.js'
import type { ServerHandlers, ServerOptions } from '../server-connection.js'
import { makeRefusal, type BridgeContext, type CoreConnection, type CoreSpace } from './bridge.js'
import { bridgeInbound } from './inbound-bridge.js'
import { login, peerOf } from './login.js'
import { bridgeOutbound } from './outbound-bridge.js'

export interface ClientOptions extends ServerOptions {
  readonly log: Logger
  /** from the accepted socket to the client's open, ms */
  readonly openTimeoutMs: number
  readonly encode: (message: Message) => EncodedMessage
}

/** Links of a connection of the plugin elsewhere: one for each client that has a will, say. */
const SERVICE_LINKS = 65_536

export class AmqpClient {
  readonly #socket: Socket
  readonly #space: CoreSpace
  readonly #options: ClientOptions
  readonly #peer: string
  readonly #opening: NodeJS.Timeout
  #server: ServerConnection | undefined
  /** by us */
  #closing = false

  constructor(socket: Socket, space: CoreSpace, options: ClientOptions) {
    this.#socket = socket
    this.#space = space
    this.#options = options
    this.#peer = peerOf(socket)
    this.#opening = setTimeout(() => {
      options.log.warn({ peer: this.#peer }, 'an AMQP client did not open its connection in time')
      socket.destroy()
    }, options.openTimeoutMs)
    socket.setNoDelay(true)
    socket.on('error', () => {}) // its close follows
    socket.on('close', () => clearTimeout(this.#opening))
    void this.#serve()
  }

  /** Closes the connection with `error`, or cuts it where it is not open; resolves when the socket is gone. */
  async close(error: LinkError): Promise<void> {
    this.#closing = true
    if (this.#server === undefined) this.#socket.destroy()
    else await this.#server.close(error)
  }

  cut(): void {
    this.#socket.destroy()
  }

  async #serve(): Promise<void> {
    const { log } = this.#options
    try {
      const reader = new FrameReader(SASL_MAX_FRAME_SIZE)
      const user = await login(this.#socket, reader, this.#space, log)
      if (user === undefined) return
      const connection = await this.#connect(user)
      if (this.#socket.destroyed) connection.lose()
      else
        this.#server = new ServerConnection(
          this.#socket,
          reader,
          user === 'service' ? { ...this.#options, maxLinks: SERVICE_LINKS } : this.#options,
          this.#handlers(connection, user)
        )
    } catch (error) {
      if (error instanceof AmqpError) {
        const { condition, description } = error
        log.warn({ peer: this.#peer, condition, description }, 'an AMQP client broke the protocol')
      } else log.error({ peer: this.#peer, err: error }, 'an AMQP client could not be served')
      this.#socket.destroy()
    }
  }

  #connect(user: Principal | 'service'): Promise<CoreConnection> {
    if (user !== 'service') return this.#space.connect(user)
    if (this.#space.service === undefined) throw new AmqpError(CONDITIONS.unauthorized, 'no service here')
    return this.#space.service.connect()
  }

  #handlers(connection: CoreConnection, who: Principal | 'service'): ServerHandlers {
    const service = who === 'service'
    const user = service ? who : who.name
    const { log, encode } = this.#options
    const tagOf = service ? this.#space.service?.tagOf : undefined
    const refuse = makeRefusal(log)
    const refusal = (error: unknown): LinkError => {
      const told = refuse(error)
      // a core that has lost its host has nothing for this connection any more: the next one may
      if (told.condition === CONDITIONS.connectionForced) setImmediate(() => void this.close(told))
      return told
    }
    const context: BridgeContext = { tagOf, connection, encode, refusal }
    return {
      onOpen: containerId => {
        clearTimeout(this.#opening)
        log.debug({ peer: this.#peer, user, containerId }, 'an AMQP client opened its connection')
      },
      onInbound: link => void bridgeInbound(link, context),
      onOutbound: link => void bridgeOutbound(link, context),
      onClosed: (cause, error) => {
        this.#log(user, error)
        if (cause === 'clean') void connection.close()
        else connection.lose()
      }
    }
  }

  #log(user: string, error: Error | LinkError | undefined): void {
    const { log } = this.#options
    const peer = this.#peer
    const lost = error instanceof Error && 'code' in error // the operating system's
    if (error === undefined || lost || this.#closing)
      log.debug({ peer, user, err: error }, 'an AMQP client has gone')
    else if ('condition' in error) {
      const { condition, description } = error as LinkError
      log.warn({ peer, user, condition, description }, 'the connection of an AMQP client ended with an error')
    } else log.warn({ peer, user, err: error }, 'the connection of an AMQP client ended with an error')
  }
}
