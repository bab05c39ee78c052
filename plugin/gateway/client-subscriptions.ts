// What one client's SUBSCRIBE and UNSUBSCRIBE do: rights, the source of the publications, the Subscription Service's record.
// Rule: a code says "granted" only when the source is there and the service agreed; what was granted before stays as it is when it
// is asked for again and refused; requests act in the order they came.

import { BridgeError, rejectionOf } from '../errors.js'
import type { Outcome, Principal } from '../host.js'
import { isHostQueue } from '../messages/addresses.js'
import type { DeliveryPath } from '../messages/requests.js'
import type { Action, RequestedFilter } from '../session/types.js'
import type { Qos } from '../mqtt/packets.js'
import { ClientReplays, type Begun } from './client-replays.js'
import type { GatewayParts } from './gateway-parts.js'
import type { Inbox, InboxClient } from './inbox.js'

type SubscribeAction = Action & { type: 'subscribe' }
type UnsubscribeAction = Action & { type: 'unsubscribe' }

/** Codes per requested entry, in their order: a granted QoS, or a reason code from 0x80. */
export type Answer = { readonly codes: readonly number[] } | { readonly error: BridgeError }

const ACCEPTED: Outcome = { type: 'accepted' }
const NOT_AUTHORIZED = 0x87
const FILTER_INVALID = 0x8f
const UNSPECIFIED = 0x80
const QUOTA = 0x97

export interface ClientIdentity {
  readonly clientId: string
  readonly connection: string
  readonly principal: Principal
}

/** Where the publications of a client's filters come from: the inbox, or a queue of the session's own. */
export interface FilterSource extends Pick<
  Inbox,
  'subscribe' | 'has' | 'grant' | 'unsubscribe' | 'remove' | 'filtersOf'
> {
  readonly delivery: DeliveryPath
}

export class ClientSubscriptions {
  readonly #parts: GatewayParts
  readonly #source: FilterSource
  readonly #client: InboxClient
  readonly #identity: ClientIdentity
  #tail: Promise<unknown> = Promise.resolve()
  /** with the first subscription; not where copies come through a queue of the session's own */
  #replays: ClientReplays | undefined
  #pending = 0
  #closed = false

  constructor(
    parts: GatewayParts,
    client: InboxClient,
    identity: ClientIdentity,
    source: FilterSource = parts.inbox
  ) {
    this.#parts = parts
    this.#source = source
    this.#client = client
    this.#identity = identity
  }

  /** Requests that are not answered yet. */
  get pending(): number {
    return this.#pending
  }

  subscribe({ packetId, filters }: SubscribeAction): Promise<Answer> {
    const answer = this.#next(() => this.#subscribe(packetId, filters))
    // later than whoever waits for the answer: the SUBACK comes before retained messages
    const release = (): void => this.#replays?.release()
    void answer.finally(() => undefined).then(release, release)
    return answer
  }

  unsubscribe({ packetId, filters }: UnsubscribeAction): Promise<Answer> {
    return this.#next(() => this.#unsubscribe(packetId, filters))
  }

  close(): void {
    this.#closed = true
    this.#replays?.close()
    this.#source.remove(this.#client)
  }

  async #next(request: () => Promise<Answer>): Promise<Answer> {
    this.#pending += 1
    const answer = this.#tail.then(request)
    this.#tail = answer.catch(() => undefined)
    try {
      return await answer
    } finally {
      this.#pending -= 1
      if (this.#closed) this.#source.remove(this.#client)
    }
  }

  async #subscribe(packetId: number, requested: readonly RequestedFilter[]): Promise<Answer> {
    // a filter twice: the last wins [MQTT3-3.8.4-3]
    const filters = new Map<string, Qos>(requested.map(({ filter, qos }) => [filter, qos]))
    const codes = new Map<string, number>()
    const source = this.#source
    const kept = new Set([...filters.keys()].filter(filter => source.has(this.#client, filter)))
    await Promise.all(
      [...filters].map(async ([filter, qos]) => codes.set(filter, await this.#open(filter, qos)))
    )
    this.#warnOfQuota([...codes.values()].filter(code => code === QUOTA).length)
    const granted = new Map([...filters].filter(([filter]) => (codes.get(filter) ?? UNSPECIFIED) < 0x80))
    const asked = granted.size > 0 ? await this.#ask(packetId, granted) : undefined
    if (asked !== undefined) {
      for (const [filter, code] of refused(asked.outcome, granted)) {
        codes.set(filter, code)
        granted.delete(filter)
        if (!kept.has(filter)) source.unsubscribe(this.#client, filter)
      }
      for (const [filter, qos] of granted) source.grant(this.#client, filter, qos)
      this.#replays?.granted(asked.replay, granted.keys())
    }
    return { codes: requested.map(({ filter }) => codes.get(filter) ?? UNSPECIFIED) }
  }

  /** Opens the source of one filter, where the client has none: the code. */
  async #open(filter: string, qos: Qos): Promise<number> {
    const { addresses, log } = this.#parts
    const { clientId, principal } = this.#identity
    if (isHostQueue(addresses(), filter)) {
      log.warn({ clientId, filter }, 'a subscription was refused: the address is a queue')
      return FILTER_INVALID
    }
    if (!(await principal.mayReceive(filter))) {
      log.warn(
        { clientId, filter, user: principal.name },
        'a subscription was refused: the user may not receive it'
      )
      return NOT_AUTHORIZED
    }
    if (this.#closed) return UNSPECIFIED
    // the QoS of before counts until the service has agreed
    if (this.#source.has(this.#client, filter)) return qos
    if (this.#full) return QUOTA
    try {
      await this.#source.subscribe(this.#client, filter, qos)
      return qos
    } catch (error) {
      log.warn({ clientId, filter, err: error }, 'a subscription was refused: the host gave no source')
      return UNSPECIFIED
    }
  }

  /** Nothing is asked of the host, or written down, for filters over the limit. */
  get #full(): boolean {
    const { config } = this.#parts
    return this.#source.filtersOf(this.#client) >= config().limits.filtersPerClient
  }

  #warnOfQuota(refused: number): void {
    const { clientId } = this.#identity
    if (refused > 0)
      this.#parts.log.warn({ clientId, refused }, 'subscriptions were refused: the client has too many')
  }

  /** What the service says; undefined: a session that has ended must not be made again by its last SUBSCRIBE. */
  async #ask(
    packetId: number,
    filters: ReadonlyMap<string, Qos>
  ): Promise<{ readonly outcome: Outcome; readonly replay?: Begun } | undefined> {
    const { requests, log } = this.#parts
    const { clientId, connection, principal } = this.#identity
    const { delivery } = this.#source
    if (this.#isUnknown) return this.#closed ? undefined : { outcome: ACCEPTED }
    let replay: Begun
    try {
      if (delivery === 'inbox') replay = await this.#replaying().begin()
    } catch (error) {
      log.warn({ clientId, err: error }, 'a subscription was refused: the host gave no replay channel')
      return { outcome: rejectionOf(error) }
    }
    if (this.#closed) return undefined
    const replayTo = typeof replay === 'object' ? replay.channel.address : undefined
    const outcome = await requests.send({
      ...{ type: 'subscribe', clientId, connection, user: principal.name, filters },
      ...{ delivery, partial: true, replayTo, packetId }
    })
    if (outcome.type !== 'accepted')
      log.warn({ clientId, outcome }, 'the subscription service refused a subscription')
    return { outcome, replay }
  }

  /** An original service would make a queue and routes for what comes by the inbox: it is not told. */
  get #isUnknown(): boolean {
    return this.#source.delivery === 'inbox' && this.#parts.peer === 'original'
  }

  #replaying(): ClientReplays {
    return (this.#replays ??= new ClientReplays(this.#parts, this.#client, this.#identity, act => {
      this.#tail = this.#tail.then(act).catch((error: unknown) => {
        const { clientId } = this.#identity
        this.#parts.log.error({ clientId, err: error }, 'retained messages could not be asked for')
      })
    }))
  }

  async #unsubscribe(packetId: number, filters: readonly string[]): Promise<Answer> {
    const { clientId, connection, principal } = this.#identity
    const { requests } = this.#parts
    const outcome = this.#isUnknown
      ? ACCEPTED
      : await requests.send({
          ...{ type: 'unsubscribe', clientId, connection },
          ...{ user: principal.name, filters, packetId }
        })
    if (outcome.type !== 'accepted') {
      return { error: new BridgeError('unsubscribeRejected', `the subscription service: ${outcome.type}`) }
    }
    for (const filter of filters) this.#source.unsubscribe(this.#client, filter)
    this.#replays?.left(filters)
    return { codes: filters.map(() => 0) }
  }
}

/** What the service did not take, with codes; `info` names single filters. */
function refused(
  outcome: Outcome,
  filters: ReadonlyMap<string, Qos>
): readonly (readonly [string, number])[] {
  if (outcome.type === 'accepted') return []
  const info = outcome.type === 'rejected' ? outcome.info : undefined
  return [...filters.keys()]
    .filter(filter => info?.has(filter) ?? true)
    .map(filter => [filter, Number(info?.get(filter) ?? UNSPECIFIED)])
}
