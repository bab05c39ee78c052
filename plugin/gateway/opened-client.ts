// What a client has from the host once it is connected, and what it asks of the host: the answers become events of its session.
// Rule: packets are taken from it as long as the host takes what is in them.

import { encodePublication } from '../messages/publish.js'
import type { Publication } from '../messages/publication.js'
import type { Unacknowledged } from '../session/outbound.js'
import type { Action, SessionEvent, Token } from '../session/types.js'
import { announce, announceAgain, announceDurable, confirmDurable } from './announcing.js'
import { ClientQueue } from './client-queue.js'
import { ClientSubscriptions, type Answer, type ClientIdentity } from './client-subscriptions.js'
import type { GatewayParts } from './gateway-parts.js'
import type { InboxClient } from './inbox.js'
import { publishResultOf } from './publish-result.js'
import { Publisher } from './publisher.js'

/** SUBSCRIBE and UNSUBSCRIBE packets of one client that are not answered yet. */
const MAX_PENDING_REQUESTS = 16

/** The connection of an opened client. */
export interface Opener extends InboxClient {
  /** to the session core */
  handle(event: SessionEvent): void
  failed(bug: unknown): void
  /** an answer came, and was handled */
  answered(): void
  /** the host takes more again */
  ready(): void
}

type Asking = Action & { readonly type: 'send' | 'subscribe' | 'unsubscribe' }

export class OpenedClient {
  readonly identity: ClientIdentity
  readonly #parts: GatewayParts
  readonly #opener: Opener
  readonly #subscriptions: ClientSubscriptions
  /** of a session that outlives its connection */
  readonly #queue: ClientQueue | undefined
  #publisher: Publisher | undefined
  #unanswered = 0

  private constructor(
    parts: GatewayParts,
    opener: Opener,
    identity: ClientIdentity,
    queue: ClientQueue | undefined
  ) {
    this.#parts = parts
    this.#opener = opener
    this.identity = identity
    this.#queue = queue
    this.#subscriptions = new ClientSubscriptions(parts, opener, identity, queue)
  }

  /** Resolves when the service has the session; rejects with BridgeError. */
  static async open(
    parts: GatewayParts,
    opener: Opener,
    identity: ClientIdentity,
    cleanSession: boolean
  ): Promise<{ readonly opened: OpenedClient; readonly sessionPresent: boolean }> {
    if (cleanSession) {
      await announce(parts, identity)
      return { opened: new OpenedClient(parts, opener, identity, undefined), sessionPresent: false }
    }
    const found = await announceDurable(parts, identity)
    const queue = new ClientQueue({
      ...{ parts, identity, found },
      handle: event => opener.handle(event),
      failed: bug => opener.failed(bug),
      confirm: () => confirmDurable(parts, identity)
    })
    return {
      opened: new OpenedClient(parts, opener, identity, queue),
      sessionPresent: found.sessionPresent
    }
  }

  get ready(): boolean {
    return this.#publisher?.ready !== false && this.#subscriptions.pending < MAX_PENDING_REQUESTS
  }

  /** Answers that the client waits for. */
  get unanswered(): number {
    return this.#unanswered
  }

  /** The client was told that it is connected. */
  connected(): void {
    this.#queue?.open()
  }

  perform(action: Asking): void {
    switch (action.type) {
      case 'send':
        return this.#send(action.token, action.publication)
      case 'subscribe':
        return this.#answer(action.token, this.#subscriptions.subscribe(action))
      case 'unsubscribe':
        return this.#answer(action.token, this.#subscriptions.unsubscribe(action))
      default:
        return action satisfies never
    }
  }

  reconfigured(): void {
    this.#queue?.reconfigured()
  }

  /** The service may not know this client. Rejects with BridgeError where another connection has its id. */
  announceAgain(): Promise<void> {
    const filters = this.#queue === undefined ? this.#parts.inbox.grantedTo(this.#opener) : undefined
    return announceAgain(this.#parts, this.identity, filters)
  }

  /** `unacknowledged`: as the session has it now that it has ended. */
  async close(unacknowledged: () => readonly Unacknowledged[]): Promise<void> {
    this.#subscriptions.close()
    await this.#publisher?.close()
    await this.#queue?.close(unacknowledged())
  }

  #send(token: Token, publication: Publication): void {
    const { counters } = this.#parts
    counters.inbound[publication.qos].add(1)
    // made with the first publication: most clients only listen
    this.#publisher ??= new Publisher(this.#parts, this.identity, () => this.#opener.ready())
    const message = encodePublication(publication)
    // QoS 0 is sent unsettled as well; the session does not wait for its outcome
    if (publication.qos === 0) return this.#publisher.publish(publication.topic, message)
    this.#unanswered += 1
    this.#publisher.publish(publication.topic, message, outcome => {
      this.#unanswered -= 1
      if (outcome.type === 'rejected') counters.rejected[publication.qos].add(1)
      this.#opener.handle({ type: 'outcome', token, result: publishResultOf(outcome) })
      this.#opener.answered()
    })
  }

  #answer(token: Token, answer: Promise<Answer>): void {
    this.#unanswered += 1
    answer.then(
      result => {
        this.#unanswered -= 1
        if ('codes' in result) this.#opener.handle({ type: 'answered', token, codes: result.codes })
        else this.#opener.handle({ type: 'unanswered', token, error: result.error })
        this.#opener.answered()
      },
      (error: unknown) => this.#opener.failed(error)
    )
  }
}
