// The gateway's requests to the Subscription Service, for all its clients.
// Rule: an answer comes in `services.timeoutMs`, whatever happened to the service.

import type { AmqpConnection, Outcome } from '../host.js'
import { SUBSCRIPTION_SERVICE_ADDRESSES } from '../messages/addresses.js'
import { encodeRequest, type SubscriptionRequest } from '../messages/requests.js'
import { Outbox } from '../outbox.js'

export class SubscriptionRequests {
  readonly #outbox: Outbox
  readonly #timeoutMs: () => number

  constructor(connection: AmqpConnection, timeoutMs: () => number) {
    this.#outbox = new Outbox(connection, SUBSCRIPTION_SERVICE_ADDRESSES[0])
    this.#timeoutMs = timeoutMs
  }

  /** Never rejects: `released` where no answer came. Requests of one client are answered in their order. */
  send(request: SubscriptionRequest): Promise<Outcome> {
    return this.#outbox.send(encodeRequest(request), this.#timeoutMs())
  }

  close(): Promise<void> {
    return this.#outbox.close()
  }
}
