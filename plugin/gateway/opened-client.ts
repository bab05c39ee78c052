// What a client has from the host once it is connected.
// Rule: packets are taken from it as long as the host takes what is in them.

import type { ClientIdentity, ClientSubscriptions } from './client-subscriptions.js'
import type { GatewayParts } from './gateway-parts.js'
import { Publisher } from './publisher.js'

/** SUBSCRIBE and UNSUBSCRIBE packets of one client that are not answered yet. */
const MAX_PENDING_REQUESTS = 16

export class OpenedClient {
  readonly identity: ClientIdentity
  readonly subscriptions: ClientSubscriptions
  #publisher: Publisher | undefined

  constructor(identity: ClientIdentity, subscriptions: ClientSubscriptions) {
    this.identity = identity
    this.subscriptions = subscriptions
  }

  get ready(): boolean {
    return this.#publisher?.ready !== false && this.subscriptions.pending < MAX_PENDING_REQUESTS
  }

  /** Made with the first publication: most clients only listen. `onReady`: the host takes more again. */
  publisher(parts: GatewayParts, onReady: () => void): Publisher {
    return (this.#publisher ??= new Publisher(parts, this.identity, onReady))
  }

  async close(): Promise<void> {
    this.subscriptions.close()
    await this.#publisher?.close()
  }
}
