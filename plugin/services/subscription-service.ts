// The Subscription Service while it is the active one: answers on its addresses, for gateways and for pure AMQP clients alike.
// Rule: one request after the other per client; the outcome of a request is its result, and says which field was wrong. A client's
// new connection has its session when the one before is gone.

import type { Config } from '../config.js'
import { AmqpError, CONDITIONS } from '../errors.js'
import type { AddressSpace, Closeable, Delivery, LinkClosed, Logger, Outcome, ServedLink } from '../host.js'
import { SUBSCRIPTION_SERVICE_ADDRESSES } from '../messages/addresses.js'
import type { SpaceMetrics } from '../metrics.js'
import { decodeRequest, type SubscriptionRequest } from '../messages/requests.js'
import { AbandonedSessions } from './abandoned-sessions.js'
import { ClientTurns } from './client-turns.js'
import { nameQueues } from './queue-names.js'
import { authorize } from './request-checks.js'
import { serveRetained } from './retained-readers.js'
import { closeParts, makeParts, type ServiceParts } from './service-parts.js'
import { SessionBounds } from './session-bounds.js'
import { SessionRequests, Stopping } from './session-requests.js'
import { SUBSCRIPTION_STORE } from './subscription-records.js'
import { Takeovers } from './takeovers.js'

/** Requests of one link that are not answered yet; those that wait for a takeover count, too. */
const WINDOW = 1000

export interface SubscriptionServiceOptions {
  readonly space: AddressSpace
  readonly config: () => Config
  readonly log: Logger
  readonly metrics: SpaceMetrics
}

export class SubscriptionService {
  readonly #options: SubscriptionServiceOptions
  readonly #parts: ServiceParts
  readonly #turns: ClientTurns
  readonly #takeovers: Takeovers
  readonly #requests: SessionRequests
  readonly #bounds: SessionBounds
  readonly #abandoned: AbandonedSessions
  readonly #served: Closeable[] = []
  #stopping = false

  private constructor(options: SubscriptionServiceOptions, parts: ServiceParts, turns: ClientTurns) {
    const { space, config, log, metrics } = options
    this.#options = options
    this.#parts = parts
    this.#turns = turns
    this.#takeovers = new Takeovers(parts.connection, log, () => config().services.takeoverTimeoutMs)
    const { sessions, connection, replays } = parts
    const takeovers = this.#takeovers
    const dropped = metrics.counter('mqtt_session_messages_dropped_total')
    const expired = metrics.counter('mqtt_sessions_expired_total')
    const { queues } = space
    this.#bounds = new SessionBounds({ queues, config, dropped, log })
    const now = (): number => Date.now()
    this.#abandoned = new AbandonedSessions({ queues, sessions, turns, config, expired, log, now })
    this.#requests = new SessionRequests({ sessions, connection, turns, takeovers, replays, config, log })
  }

  /**
   * Takes the addresses, so that nobody else serves them, then recovers the sessions; requests wait for that. Rejects with
   * AmqpError where the host refuses: `amqp:resource-locked` while another one is active. `onLost`: the host took the addresses away.
   */
  static async start(options: SubscriptionServiceOptions, onLost: () => void): Promise<SubscriptionService> {
    const { space, log } = options
    let recovered: (() => void) | undefined
    const turns = new ClientTurns(new Promise(resolve => (recovered = resolve)))
    const { peer } = options.config().services
    const parts = await makeParts(space, peer, log, (clientId, filters) =>
      service.#onFilled(clientId, filters)
    )
    const service: SubscriptionService = new SubscriptionService(options, parts, turns)
    const onLink = (link: ServedLink): void => service.#onLink(link)
    try {
      for (const address of SUBSCRIPTION_SERVICE_ADDRESSES)
        service.#served.push(await space.serve(address, onLink, onLost))
      await service.#recover()
    } catch (error) {
      recovered?.()
      await service.stop()
      throw error
    }
    recovered?.()
    return service
  }

  get durableCount(): number {
    return this.#parts.sessions.durableCount
  }

  /** Finishes the request of each client that acts now, then lets the addresses go: others are asked again of the next service. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#takeovers.stop()
    await this.#abandoned.stop()
    await this.#turns.idle()
    await Promise.all(this.#served.map(served => served.close()))
    await this.#bounds.stop()
    await closeParts(this.#parts)
  }

  /** The configuration has changed. */
  reconfigured(): void {
    this.#bounds.set().catch((error: unknown) => {
      if (!this.#stopping)
        this.#options.log.error({ err: error }, 'the bounds of sessions could not be changed')
    })
    this.#abandoned.start()
  }

  async #recover(): Promise<void> {
    const { space, log } = this.#options
    const { connection, sessions, feed, messages, replays, sweep } = this.#parts
    await feed.open()
    await this.#bounds.start()
    this.#served.push(await serveRetained(space, { feed, messages, log }))
    const { peer } = this.#options.config().services
    await nameQueues({ space, connection, store: await space.store(SUBSCRIPTION_STORE), log }, peer)
    await sessions.recover()
    replays.resume(sessions.owing)
    this.#abandoned.start()
    sweep.start()
  }

  #onFilled(clientId: string, filters: ReadonlySet<string>): void {
    const { sessions, replays } = this.#parts
    this.#turns.take(clientId, undefined, async () => {
      const session = sessions.get(clientId)
      if (session === undefined || this.#stopping) return
      const filled = [...filters].filter(filter => !replays.isFilling(clientId, filter))
      try {
        await sessions.filled(clientId, session, filled)
      } catch (error) {
        this.#options.log.warn(
          { clientId, err: error },
          'a replay is over and could not be noted: it is repeated'
        )
      }
    })
  }

  #onLink(link: ServedLink): void {
    link.accept({
      window: WINDOW,
      onDelivery: delivery => this.#onRequest(link, delivery),
      onClosed: closed => this.#onLinkClosed(link, closed)
    })
  }

  /** With the link of its gateway an inbox session is gone, unless it is announced again. */
  #onLinkClosed(link: ServedLink, { cause }: LinkClosed): void {
    if (this.#stopping || cause === 'orphaned') return // the next one is told again
    const { sessions } = this.#parts
    for (const clientId of sessions.announcedOver(link)) {
      this.#turns.take(clientId, undefined, async () => {
        if (sessions.get(clientId)?.link === link) await sessions.remove(clientId)
      })
    }
  }

  #onRequest(link: ServedLink, delivery: Delivery): void {
    let request: SubscriptionRequest
    try {
      request = decodeRequest(delivery.message, this.#options.config().services.peer)
    } catch (error) {
      delivery.settle(this.#refusal(error, undefined))
      return
    }
    const { clientId, connection } = request
    this.#turns.take(clientId, connection, async () => {
      if (this.#stopping) return
      const outcome = await this.#answer(link, request)
      if (outcome !== undefined) delivery.settle(outcome)
    })
  }

  /** undefined: none, the next service will be asked again. */
  async #answer(link: ServedLink, request: SubscriptionRequest): Promise<Outcome | undefined> {
    try {
      await authorize(link.user, request)
      await this.#requests.perform(request, link)
      return { type: 'accepted' }
    } catch (error) {
      return error instanceof Stopping ? undefined : this.#refusal(error, request)
    }
  }

  #refusal(error: unknown, request: SubscriptionRequest | undefined): Outcome {
    const { log } = this.#options
    const fields = { request: request?.type, clientId: request?.clientId }
    if (error instanceof AmqpError) {
      const { condition, description, info } = error
      log.warn({ ...fields, condition, description }, 'a request to the subscription service was rejected')
      return { type: 'rejected', condition, description, info }
    }
    log.error({ ...fields, err: error }, 'a request to the subscription service failed')
    return {
      type: 'rejected',
      condition: CONDITIONS.internalError,
      description: 'the request failed; the log says why'
    }
  }
}
