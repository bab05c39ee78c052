// The Subscription Service while it is the active one: answers on its addresses, for gateways and for pure AMQP clients alike.
// Rule: one request after the other per client; the outcome of a request is its result, and says which field was wrong. A client's
// new connection has its session when the one before is gone.

import type { Config } from '../config.js'
import { AmqpError, CONDITIONS } from '../errors.js'
import type {
  AddressSpace,
  Closeable,
  Delivery,
  LinkClosed,
  Logger,
  Message,
  Outcome,
  ServedLink
} from '../host.js'
import { controlAddress, SUBSCRIPTION_SERVICE_ADDRESSES } from '../messages/addresses.js'
import {
  decodeRequest,
  type CloseRequest,
  type ListRequest,
  type SubscribeRequest,
  type SubscriptionRequest,
  type UnsubscribeRequest
} from '../messages/requests.js'
import { encodeSubscriptions } from '../messages/subscriptions.js'
import { Outbox } from '../outbox.js'
import { ServiceConnection } from '../service-connection.js'
import { ClientSessions, heldBy, type ClientSession } from './client-sessions.js'
import { ClientTurns } from './client-turns.js'
import { authorize, badFilters, filtersRefused, superseded } from './request-checks.js'
import { NOBODY, SubscriptionRecords, SUBSCRIPTION_STORE, type Holder } from './subscription-records.js'
import { Takeovers } from './takeovers.js'

/** Requests of one link that are not answered yet; those that wait for a takeover count, too. */
const WINDOW = 1000

export interface SubscriptionServiceOptions {
  readonly space: AddressSpace
  readonly config: () => Config
  readonly log: Logger
}

/** The service stops: what is asked of it is answered by the next one. */
class Stopping extends Error {}

export class SubscriptionService {
  readonly #options: SubscriptionServiceOptions
  readonly #sessions: ClientSessions
  readonly #connection: ServiceConnection
  readonly #turns: ClientTurns
  readonly #takeovers: Takeovers
  readonly #served: Closeable[] = []
  #stopping = false

  private constructor(
    options: SubscriptionServiceOptions,
    sessions: ClientSessions,
    connection: ServiceConnection,
    turns: ClientTurns
  ) {
    this.#options = options
    this.#sessions = sessions
    this.#connection = connection
    this.#turns = turns
    this.#takeovers = new Takeovers(
      connection,
      options.log,
      () => options.config().services.takeoverTimeoutMs
    )
  }

  /**
   * Takes the addresses, so that nobody else serves them, then recovers the sessions; requests wait for that. Rejects with
   * AmqpError where the host refuses: `amqp:resource-locked` while another one is active. `onLost`: the host took the addresses away.
   */
  static async start(options: SubscriptionServiceOptions, onLost: () => void): Promise<SubscriptionService> {
    const { space, log } = options
    const sessions = new ClientSessions(space, new SubscriptionRecords(await space.store(SUBSCRIPTION_STORE)))
    let recovered: (() => void) | undefined
    const turns = new ClientTurns(new Promise(resolve => (recovered = resolve)))
    const connection = await ServiceConnection.open(space)
    const service = new SubscriptionService(options, sessions, connection, turns)
    const onLink = (link: ServedLink): void => service.#onLink(link)
    try {
      for (const address of SUBSCRIPTION_SERVICE_ADDRESSES)
        service.#served.push(await space.serve(address, onLink, onLost))
      await sessions.recover(key =>
        log.error({ key }, 'a subscription record cannot be read and was left alone')
      )
    } catch (error) {
      recovered?.()
      await service.stop()
      throw error
    }
    recovered?.()
    return service
  }

  get durableCount(): number {
    return this.#sessions.durableCount
  }

  /** Finishes the request of each client that acts now, then lets the addresses go: others are asked again of the next service. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#takeovers.stop()
    await this.#turns.idle()
    await Promise.all(this.#served.map(served => served.close()))
    await this.#connection.close()
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
    for (const clientId of this.#sessions.announcedOver(link)) {
      this.#turns.take(clientId, undefined, async () => {
        if (this.#sessions.get(clientId)?.link === link) await this.#sessions.remove(clientId)
      })
    }
  }

  #onRequest(link: ServedLink, delivery: Delivery): void {
    let request: SubscriptionRequest
    try {
      request = decodeRequest(delivery.message)
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
      await this.#perform(request, link)
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

  async #perform(request: SubscriptionRequest, link: ServedLink): Promise<void> {
    switch (request.type) {
      case 'list':
        return this.#list(request)
      case 'close':
        return this.#close(request, link)
      case 'subscribe':
        return this.#subscribe(request)
      case 'unsubscribe':
        return this.#unsubscribe(request)
      case 'disconnected':
        return this.#takeovers.answered(request.clientId, request.connection)
      default:
        return request satisfies never
    }
  }

  async #list(request: ListRequest): Promise<void> {
    const { clientId, connection, replyTo, correlationId } = request
    const holder = await this.#admit(request)
    const known = this.#sessions.get(clientId)
    const sessionPresent =
      known?.delivery === 'queue' && (connection === undefined || known.madeBy !== connection)
    if (known?.delivery === 'inbox') await this.#sessions.remove(clientId)
    const { filters } = await this.#sessions.openDurable(clientId, holder)
    const previousConnection = holder.former.at(-1)
    // ahead of stored messages: before the routes are there again (protocol.md 3)
    await this.#reply(
      replyTo,
      encodeSubscriptions(replyTo, { correlationId, connection, sessionPresent, previousConnection, filters })
    )
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

  async #close(request: CloseRequest, link: ServedLink): Promise<void> {
    const { clientId, connection, delivery, end } = request
    if (end) {
      if (this.#sessions.get(clientId)?.holder.connection === connection)
        await this.#sessions.remove(clientId)
      return
    }
    const holder = await this.#admit(request)
    await this.#sessions.remove(clientId)
    if (delivery === 'inbox') this.#sessions.openInbox(clientId, holder, link)
  }

  /** Who has the session from now on: whoever asks, when the connection that has it is gone. */
  async #admit({ clientId, connection, resume, replyTo }: ListRequest | CloseRequest): Promise<Holder> {
    const session = this.#sessions.get(clientId)
    const { connection: current, former = [] } = session?.holder ?? NOBODY
    if (connection !== undefined && former.includes(connection)) throw superseded(clientId, connection)
    if (
      session !== undefined &&
      current !== undefined &&
      connection !== undefined &&
      current !== connection
    ) {
      if (resume) throw superseded(clientId, connection)
      await this.#sessions.announceNext(clientId, session, connection)
      await this.#end(clientId, session, current)
    }
    return heldBy(session?.holder ?? NOBODY, connection, replyTo)
  }

  async #end(clientId: string, session: ClientSession, connection: string): Promise<void> {
    const control = session.holder.control ?? controlAddress(clientId)
    const ended = await this.#turns.yieldTo(
      clientId,
      connection,
      this.#takeovers.end({ clientId, connection, control })
    )
    if (ended === 'stopped') throw new Stopping()
    if (ended === 'answered') return
    this.#options.log.debug({ clientId, ended }, 'a connection was taken over without its answer')
    await this.#sessions.expel(clientId, session)
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
    const bad = badFilters(session?.filters, request.filters, this.#options.config().limits)
    if (bad.size > 0 && (!partial || bad.size === request.filters.size)) throw filtersRefused(bad)
    const good = new Map([...request.filters].filter(([filter]) => !bad.has(filter)))
    const taker =
      session ?? (await this.#sessions.openDurable(clientId, heldBy(NOBODY, connection, undefined)))
    await this.#sessions.subscribe(clientId, taker, good)
    if (bad.size > 0) throw filtersRefused(bad)
  }

  async #unsubscribe({ clientId, connection, filters }: UnsubscribeRequest): Promise<void> {
    const session = this.#current(clientId, connection)
    if (session !== undefined) await this.#sessions.unsubscribe(clientId, session, filters)
  }

  /** The session of a request that may act for it: a former connection, and one that waits, change nothing. */
  #current(clientId: string, connection: string | undefined): ClientSession | undefined {
    const session = this.#sessions.get(clientId)
    if (session === undefined || connection === undefined) return session
    const { connection: current, former } = session.holder
    if (current === connection || (current === undefined && !former.includes(connection))) return session
    throw superseded(clientId, connection)
  }
}
