// What the requests to the Subscription Service do: each one to the session of its client, in that client's turn.
// Rule: a client's new connection has its session when the one before is gone; what comes from a former one changes nothing.

import type { Config } from '../config.js'
import { AmqpError, CONDITIONS } from '../errors.js'
import type { AmqpConnection, Logger, Message, ServedLink } from '../host.js'
import { controlAddress } from '../messages/addresses.js'
import type {
  CloseRequest,
  ListRequest,
  SubscribeRequest,
  SubscriptionRequest,
  UnsubscribeRequest
} from '../messages/requests.js'
import { encodeSubscriptions } from '../messages/subscriptions.js'
import { Outbox } from '../outbox.js'
import { ended, heldBy, type ClientSession, type ClientSessions } from './client-sessions.js'
import type { ClientTurns } from './client-turns.js'
import { badFilters, canBeNamed, filtersRefused, superseded } from './request-checks.js'
import type { Replays } from './replays.js'
import { NOBODY, type Holder } from './subscription-records.js'
import type { Takeovers } from './takeovers.js'

/** The service stops: what is asked of it is answered by the next one. */
export class Stopping extends Error {}

export interface SessionRequestsOptions {
  readonly sessions: ClientSessions
  readonly connection: AmqpConnection
  readonly turns: ClientTurns
  readonly takeovers: Takeovers
  readonly replays: Replays
  readonly config: () => Config
  readonly log: Logger
}

export class SessionRequests {
  readonly #options: SessionRequestsOptions
  readonly #sessions: ClientSessions

  constructor(options: SessionRequestsOptions) {
    this.#options = options
    this.#sessions = options.sessions
  }

  /** In the turn of its client. Rejects with AmqpError where it is refused, with Stopping where nothing is known. */
  async perform(request: SubscriptionRequest, link: ServedLink): Promise<void> {
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
        return this.#options.takeovers.answered(request.clientId, request.connection)
      default:
        return request satisfies never
    }
  }

  async #list(request: ListRequest): Promise<void> {
    const { clientId, connection, replyTo, correlationId } = request
    const holder = await this.#admit(request)
    const known = this.#sessions.get(clientId)
    const goesOn = known?.delivery === 'queue' && known.holder.clean !== true
    const sessionPresent = goesOn && (connection === undefined || known.madeBy !== connection)
    if (!goesOn) await this.#sessions.remove(clientId)
    const session = await this.#sessions.openDurable(clientId, holder)
    await this.#sessions.setLeftAt(clientId, session, undefined)
    const { filters } = session
    const previousConnection = holder.former.at(-1)
    // ahead of stored messages: before the routes are there again (protocol.md 3)
    await this.#reply(
      replyTo,
      encodeSubscriptions(replyTo, { correlationId, connection, sessionPresent, previousConnection, filters })
    )
    await this.#sessions.establish(clientId)
  }

  async #reply(address: string, message: Message): Promise<void> {
    const outbox = new Outbox(this.#options.connection, address)
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
    // it comes to a queue, and says nothing when it goes
    else if (this.#isOriginal(connection))
      await this.#sessions.openDurable(clientId, { ...holder, clean: true })
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
    } else if (session !== undefined && this.#isOriginal(connection)) {
      if (current !== undefined) await this.#end(clientId, session, current)
      await this.#sessions.expel(clientId, session)
    } else if (session !== undefined && current === undefined && connection !== undefined && !resume) {
      // whoever gave itself no name, as originals do, can be told nothing: the last writer wins
      await this.#sessions.expel(clientId, session)
    }
    if (connection !== current) this.#options.replays.end(clientId, false)
    const before = session?.holder ?? NOBODY
    return heldBy(this.#isOriginal(connection) ? ended(before) : before, connection, replyTo)
  }

  /** A gateway that has no name for a connection, where there are such: the last one that asks has the session. */
  #isOriginal(connection: string | undefined): boolean {
    return connection === undefined && this.#options.config().services.peer === 'original'
  }

  async #end(clientId: string, session: ClientSession, connection: string): Promise<void> {
    const control = session.holder.control ?? controlAddress(clientId)
    const ended = await this.#options.turns.yieldTo(
      clientId,
      connection,
      this.#options.takeovers.end({ clientId, connection, control })
    )
    if (ended === 'stopped') throw new Stopping()
    if (ended === 'answered') return
    this.#options.log.debug({ clientId, ended }, 'a connection was taken over without its answer')
    await this.#sessions.expel(clientId, session)
  }

  async #subscribe(request: SubscribeRequest): Promise<void> {
    const { clientId, connection, delivery, partial, replayTo, packetId } = request
    const { replays } = this.#options
    replays.check(clientId)
    const session = this.#current(clientId, connection)
    if (session === undefined && delivery === 'inbox') {
      throw new AmqpError(
        CONDITIONS.notAllowed,
        `the session of client ${clientId} ended with its connection`
      )
    }
    const bad = badFilters(session?.filters, request.filters, this.#options.config().limits)
    const whole = !partial || bad.size === request.filters.size || !canBeNamed(bad)
    if (bad.size > 0 && whole) throw filtersRefused(bad)
    const good = new Map([...request.filters].filter(([filter]) => !bad.has(filter)))
    const taker =
      session ?? (await this.#sessions.openDurable(clientId, heldBy(NOBODY, connection, undefined)))
    // copies for a session that dies with its connection have no queue to go to
    const copies = replayTo !== undefined || taker.delivery === 'queue'
    await this.#sessions.setLeftAt(clientId, taker, undefined)
    await this.#sessions.subscribe(clientId, taker, good, copies && replayTo === undefined)
    if (copies) replays.start({ clientId, filters: good.keys(), replayTo, packetId })
    if (bad.size > 0) throw filtersRefused(bad)
  }

  async #unsubscribe({ clientId, connection, filters }: UnsubscribeRequest): Promise<void> {
    const session = this.#current(clientId, connection)
    if (session === undefined) return
    await this.#sessions.unsubscribe(clientId, session, filters)
    this.#options.replays.left(clientId, filters)
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
