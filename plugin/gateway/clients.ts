// The clients of one gateway by client id and by connection, and takeover among them.
// Rule: two connections never use one client id at a time: the newer one waits until the older one has let go of everything.

import { BridgeError } from '../errors.js'

export interface RegisteredClient {
  /** of this CONNECT alone */
  readonly connection: string
  /** Ends the connection; resolves when nothing of it is left. */
  end(error: BridgeError): Promise<void>
  /** Ends the connection when what its client has said by now is handled. */
  leave(error: BridgeError): void
}

export class Clients {
  readonly #clients = new Map<string, RegisteredClient>()
  /** those that are on their way out, too */
  readonly #byConnection = new Map<string, RegisteredClient>()
  readonly #onGone = new Map<string, (() => void)[]>()

  get size(): number {
    return this.#clients.size
  }

  /** Takes the client id for `client`, and ends whoever has it. [MQTT3-3.1.4-2] [MQTT5-3.1.4-3] */
  async claim(clientId: string, client: RegisteredClient): Promise<void> {
    const former = this.#clients.get(clientId)
    this.#clients.delete(clientId) // the newest is last: `all` is in the order of arrival
    this.#clients.set(clientId, client)
    this.#byConnection.set(client.connection, client)
    await former?.end(new BridgeError('sessionTakenOver', 'a newer connection has this client id'))
  }

  /** Nothing is left of `client`. */
  release(clientId: string, client: RegisteredClient): void {
    if (this.#clients.get(clientId) === client) this.#clients.delete(clientId)
    this.#byConnection.delete(client.connection)
    for (const gone of this.#onGone.get(client.connection) ?? []) gone()
    this.#onGone.delete(client.connection)
  }

  /** The client of this connection, until nothing is left of it. */
  having(connection: string): RegisteredClient | undefined {
    return this.#byConnection.get(connection)
  }

  /** Resolves when nothing is left of `connection`. */
  gone(connection: string): Promise<void> {
    if (!this.#byConnection.has(connection)) return Promise.resolve()
    return new Promise(resolve =>
      this.#onGone.set(connection, [...(this.#onGone.get(connection) ?? []), resolve])
    )
  }
}
