// The Subscription Service: answers on its addresses, for gateways and for pure AMQP clients alike.
// Rule: one request after the other per client; the outcome of a request is its result, and says which field was wrong.

import type { Config } from '../config.js'
import { AmqpError, CONDITIONS } from '../errors.js'
import type {
  AddressSpace,
  AmqpConnection,
  Closeable,
  Delivery,
  Logger,
  Message,
  Outcome,
  Principal,
  ServedLink
} from '../host.js'
import { controlAddress, isOwnedAddress, SUBSCRIPTION_SERVICE_ADDRESSES } from '../messages/addresses.js'
import {
  decodeRequest,
  encodeSubscriptions,
  type CloseRequest,
  type ListRequest,
  type SubscribeRequest,
  type SubscriptionRequest,
  type UnsubscribeRequest
} from '../messages/requests.js'
import type { SpaceMetrics } from '../metrics.js'
import { Outbox } from '../outbox.js'
import type { Qos } from '../mqtt/packets.js'
import { isReservedTopic, isValidTopicFilter } from '../mqtt/topic.js'
import { ClientSessions, type ClientSession } from './client-sessions.js'
import { SubscriptionRecords, SUBSCRIPTION_STORE } from './subscription-records.js'

type User = Principal | 'service'

/** Requests of one link that are not answered yet. */
const WINDOW = 100

export interface SubscriptionServiceOptions {
  readonly space: AddressSpace
  readonly config: () => Config
  readonly log: Logger
  readonly metrics: SpaceMetrics
}

export class SubscriptionService {
  readonly #options: SubscriptionServiceOptions
  readonly #sessions: ClientSessions
  readonly #connection: AmqpConnection
  readonly #served: Closeable[] = []
  /** client id → the end of its last request */
  readonly #tails = new Map<string, Promise<void>>()

  private constructor(
    options: SubscriptionServiceOptions,
    sessions: ClientSessions,
    connection: AmqpConnection
  ) {
    this.#options = options
    this.#sessions = sessions
    this.#connection = connection
    options.metrics.gauge('mqtt_durable_sessions', () => sessions.durableCount)
  }

  /** Recovers the sessions, then serves. Rejects with AmqpError where the host refuses. */
  static async start(options: SubscriptionServiceOptions): Promise<SubscriptionService> {
    const { space, log } = options
    const records = new SubscriptionRecords(await space.store(SUBSCRIPTION_STORE))
    const sessions = new ClientSessions(space, records)
    await sessions.recover(key =>
      log.error({ key }, 'a subscription record cannot be read and was left alone')
    )
    const service = new SubscriptionService(options, sessions, await space.connect('service'))
    try {
      for (const address of SUBSCRIPTION_SERVICE_ADDRESSES) {
        service.#served.push(await space.serve(address, link => service.#onLink(link)))
      }
      return service
    } catch (error) {
      await service.stop()
      throw error
    }
  }

  /** Takes no more requests, finishes those it took. */
  async stop(): Promise<void> {
    await Promise.all(this.#served.map(served => served.close()))
    await Promise.all(this.#tails.values())
    await this.#connection.close()
  }

  #onLink(link: ServedLink): void {
    link.accept({
      window: WINDOW,
      onDelivery: delivery => this.#onRequest(link.user, delivery),
      onClosed: () => undefined
    })
  }

  #onRequest(user: User, delivery: Delivery): void {
    let request: SubscriptionRequest
    try {
      request = decodeRequest(delivery.message)
    } catch (error) {
      delivery.settle(this.#refusal(error, undefined))
      return
    }
    const { clientId } = request
    const before = this.#tails.get(clientId) ?? Promise.resolve()
    const tail = before.then(async () => {
      delivery.settle(await this.#answer(user, request))
      if (this.#tails.get(clientId) === tail) this.#tails.delete(clientId)
    })
    this.#tails.set(clientId, tail)
  }

  async #answer(user: User, request: SubscriptionRequest): Promise<Outcome> {
    try {
      await this.#authorize(user, request)
      await this.#perform(request)
      return { type: 'accepted' }
    } catch (error) {
      return this.#refusal(error, request)
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

  /** A gateway asked for its users before; a pure AMQP client acts for itself. */
  async #authorize(user: User, request: SubscriptionRequest): Promise<void> {
    if (user === 'service') return
    const { clientId } = request
    if (!(await user.mayUse(clientId))) {
      throw new AmqpError(
        CONDITIONS.unauthorized,
        `user ${user.name} may not use client id ${JSON.stringify(clientId)}`
      )
    }
    if (request.type === 'list') await authorizeReply(user, request)
    if (request.type !== 'subscribe') return
    const refused: string[] = []
    for (const filter of request.filters.keys()) if (!(await user.mayReceive(filter))) refused.push(filter)
    if (refused.length > 0) {
      throw new AmqpError(
        CONDITIONS.unauthorized,
        `user ${user.name} may not receive ${JSON.stringify(refused)}`
      )
    }
  }

  #perform(request: SubscriptionRequest): Promise<void> {
    switch (request.type) {
      case 'list':
        return this.#list(request)
      case 'close':
        return this.#close(request)
      case 'subscribe':
        return this.#subscribe(request)
      case 'unsubscribe':
        return this.#unsubscribe(request)
      default:
        return request satisfies never
    }
  }

  async #list({ clientId, connection, replyTo, correlationId }: ListRequest): Promise<void> {
    const known = this.#sessions.get(clientId)
    const sessionPresent =
      known?.delivery === 'queue' && (connection === undefined || known.madeBy !== connection)
    if (known?.delivery === 'inbox') await this.#sessions.remove(clientId)
    const session = await this.#sessions.openDurable(clientId, connection)
    session.connection = connection
    const { filters } = session
    // ahead of stored messages: before the routes are there again (protocol.md 3)
    await this.#reply(replyTo, encodeSubscriptions({ to: replyTo, correlationId, sessionPresent, filters }))
    await this.#sessions.establish(clientId)
  }

  async #reply(address: string, message: Message): Promise<void> {
    const outbox = new Outbox(this.#connection, address)
    try {
      const outcome = await outbox.send(message, this.#options.config().services.timeoutMs)
      if (outcome.type === 'rejected')
        throw new AmqpError(outcome.condition, `reply-to ${address}: ${outcome.description}`)
      if (outcome.type !== 'accepted')
        throw new AmqpError(CONDITIONS.notFound, `nobody took the reply at ${address}`)
    } finally {
      await outbox.close()
    }
  }

  async #close({ clientId, connection, delivery, end }: CloseRequest): Promise<void> {
    const session = this.#sessions.get(clientId)
    if (end) {
      if (session?.connection === connection) await this.#sessions.remove(clientId)
      return
    }
    await this.#sessions.remove(clientId)
    if (delivery === 'inbox') this.#sessions.openInbox(clientId, connection)
  }

  async #subscribe(request: SubscribeRequest): Promise<void> {
    const { clientId, connection, delivery, partial } = request
    const session = this.#current(clientId, connection)
    if (session === undefined && delivery === 'inbox') {
      throw new AmqpError(
        CONDITIONS.notAllowed,
        `the session of client ${clientId} ended with its connection`
      )
    }
    const bad = this.#badFilters(session, request.filters)
    if (bad.size > 0 && (!partial || bad.size === request.filters.size)) {
      throw new AmqpError(
        CONDITIONS.preconditionFailed,
        `filters that cannot be subscribed to: ${listed(bad)}`,
        codesOf(bad)
      )
    }
    const good = new Map([...request.filters].filter(([filter]) => !bad.has(filter)))
    const taker = session ?? (await this.#sessions.openDurable(clientId, connection))
    await this.#sessions.subscribe(clientId, taker, good)
    if (bad.size > 0) {
      throw new AmqpError(
        CONDITIONS.preconditionFailed,
        `filters that cannot be subscribed to: ${listed(bad)}`,
        codesOf(bad)
      )
    }
  }

  async #unsubscribe({ clientId, connection, filters }: UnsubscribeRequest): Promise<void> {
    const session = this.#current(clientId, connection)
    if (session !== undefined) await this.#sessions.unsubscribe(clientId, session, filters)
  }

  /** The session of a request that may act for it: a former connection changes nothing. */
  #current(clientId: string, connection: string | undefined): ClientSession | undefined {
    const session = this.#sessions.get(clientId)
    if (session?.connection === undefined || connection === undefined || session.connection === connection)
      return session
    throw new AmqpError(
      CONDITIONS.notAllowed,
      `connection ${connection} is not the one that client ${clientId} uses now`
    )
  }

  /** Filter → why not. */
  #badFilters(session: ClientSession | undefined, filters: ReadonlyMap<string, Qos>): Map<string, string> {
    const { filtersPerClient, topicLevels, topicBytes } = this.#options.config().limits
    const bad = new Map<string, string>()
    let count = session?.filters.size ?? 0
    for (const filter of filters.keys()) {
      const fresh = session?.filters.has(filter) !== true
      if (!isValidTopicFilter(filter, topicLevels) || Buffer.byteLength(filter) > topicBytes)
        bad.set(filter, 'is no valid topic filter')
      else if (isReservedTopic(filter)) bad.set(filter, 'is reserved')
      else if (fresh && count >= filtersPerClient)
        bad.set(filter, `is over the limit of ${filtersPerClient} filters`)
      else if (fresh) count += 1
    }
    return bad
  }
}

/** The service lends nobody its right to send: a user's reply goes to the user's own control address, or where the user may send. */
async function authorizeReply(user: Principal, { clientId, replyTo }: ListRequest): Promise<void> {
  if (replyTo === controlAddress(clientId)) return
  if (!isOwnedAddress(replyTo) && (await user.maySend(replyTo))) return
  throw new AmqpError(
    CONDITIONS.notAllowed,
    `reply-to ${JSON.stringify(replyTo)} is not an address of client ${clientId}`
  )
}

const listed = (bad: ReadonlyMap<string, string>): string =>
  [...bad].map(([filter, why]) => `${JSON.stringify(filter)} ${why}`).join(', ')

/** MQTT 5.0 reason codes as strings: 0x97 quota exceeded, 0x8f topic filter invalid. */
const codesOf = (bad: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
  new Map([...bad].map(([filter, why]) => [filter, String(why.startsWith('is over') ? 0x97 : 0x8f)]))
