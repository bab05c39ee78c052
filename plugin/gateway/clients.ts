// The clients of one gateway by client id, and takeover among them.
// Rule: two connections never use one client id at a time: the newer one waits until the older one has let go of everything.

import { BridgeError } from '../errors.js'

export interface RegisteredClient {
  /** Ends the connection; resolves when nothing of it is left. */
  end(error: BridgeError): Promise<void>
}

export class Clients {
  readonly #clients = new Map<string, RegisteredClient>()

  get size(): number {
    return this.#clients.size
  }

  /** Takes the client id for `client`, and ends whoever has it. [MQTT3-3.1.4-2] [MQTT5-3.1.4-3] */
  async claim(clientId: string, client: RegisteredClient): Promise<void> {
    const former = this.#clients.get(clientId)
    this.#clients.delete(clientId) // the newest is last: `all` is in the order of arrival
    this.#clients.set(clientId, client)
    await former?.end(new BridgeError('sessionTakenOver', 'a newer connection has this client id'))
  }

  release(clientId: string, client: RegisteredClient): void {
    if (this.#clients.get(clientId) === client) this.#clients.delete(clientId)
  }
}
