// The plugin's own connection to the host, made again when the host has lost it.
// Rule: whoever holds a link learns from that link that it is gone; the next link goes over a connection that works, if there is one.

import { AmqpError, CONDITIONS } from './errors.js'
import type {
  AddressSpace,
  AmqpConnection,
  Receiver,
  ReceiverOptions,
  Sender,
  SenderOptions
} from './host.js'

export class ServiceConnection implements AmqpConnection {
  readonly #space: Pick<AddressSpace, 'connect'>
  #connection: Promise<AmqpConnection> | undefined
  #closed = false

  private constructor(space: Pick<AddressSpace, 'connect'>, connection: AmqpConnection) {
    this.#space = space
    this.#connection = Promise.resolve(connection)
  }

  /** Rejects as the host's connect does. */
  static async open(space: Pick<AddressSpace, 'connect'>): Promise<ServiceConnection> {
    return new ServiceConnection(space, await space.connect('service'))
  }

  openSender(options: SenderOptions): Promise<Sender> {
    return this.#use(connection => connection.openSender(options))
  }

  openReceiver(options: ReceiverOptions): Promise<Receiver> {
    return this.#use(connection => connection.openReceiver(options))
  }

  async close(): Promise<void> {
    this.#closed = true
    // one that could not be made has nothing to close
    const connection = await this.#connection?.catch(() => undefined)
    await connection?.close()
  }

  /** A connection that turns out to be gone is made again, once. */
  async #use<T>(open: (connection: AmqpConnection) => Promise<T>): Promise<T> {
    const connection = this.#connection
    if (connection !== undefined) {
      try {
        return await open(await connection)
      } catch (error) {
        if (this.#closed || !isGone(error)) throw error
        if (this.#connection === connection) this.#connection = undefined
      }
    }
    if (this.#closed) throw new AmqpError(CONDITIONS.connectionForced, 'the connection was closed')
    return open(await (this.#connection ??= this.#connect()))
  }

  async #connect(): Promise<AmqpConnection> {
    try {
      return await this.#space.connect('service')
    } catch (error) {
      this.#connection = undefined
      throw error
    }
  }
}

export const isGone = (error: unknown): boolean =>
  error instanceof AmqpError && error.condition === CONDITIONS.connectionForced
