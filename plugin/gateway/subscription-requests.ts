// The gateway's requests to the Subscription Service, for all its clients.
// Rule: an answer comes in `services.timeoutMs`, whatever happened to the service; in that time one that is gone may come back, or
// another one take its place, and is asked again.

import type { AmqpConnection, Outcome } from '../host.js'
import { SUBSCRIPTION_SERVICE_ADDRESSES } from '../messages/addresses.js'
import type { Peer } from '../messages/peer.js'
import { encodeRequest, type SubscriptionRequest } from '../messages/requests.js'
import { Outbox } from '../outbox.js'

const [SERVICE] = SUBSCRIPTION_SERVICE_ADDRESSES

export interface SubscriptionRequestsOptions {
  readonly connection: AmqpConnection
  /** whose service it is */
  readonly peer: Peer
  readonly timeoutMs: () => number
  /** There is a service again, which may not know the clients. */
  readonly onNewService: () => void
}

export class SubscriptionRequests {
  readonly #requests: Outbox
  /** answers to orders: they wait for no credit that requests use up */
  readonly #answers: Outbox
  readonly #timeoutMs: () => number
  readonly #peer: Peer

  constructor({ connection, peer, timeoutMs, onNewService }: SubscriptionRequestsOptions) {
    this.#requests = new Outbox(connection, SERVICE, { persistent: true, onAttachedAgain: onNewService })
    this.#answers = new Outbox(connection, SERVICE, { persistent: true })
    this.#timeoutMs = timeoutMs
    this.#peer = peer
  }

  /** There is a service, which knows the clients. */
  get attached(): boolean {
    return this.#requests.attached
  }

  /** Never rejects: `released` where no answer came. Requests of one client are answered in their order. */
  send(request: SubscriptionRequest): Promise<Outcome> {
    return this.#requests.send(encodeRequest(request, this.#peer), this.#timeoutMs())
  }

  /** What a new service must know before anything else; `released` when that one is gone, too. */
  resume(request: SubscriptionRequest): Promise<Outcome> {
    return this.#requests.sendFirst(encodeRequest(request, this.#peer))
  }

  /** Answers an order to end `connection`. */
  answer(clientId: string, connection: string): Promise<Outcome> {
    const request = encodeRequest({ type: 'disconnected', clientId, connection })
    return this.#answers.send(request, this.#timeoutMs())
  }

  async close(): Promise<void> {
    await this.#answers.close()
    await this.#requests.close()
  }
}
