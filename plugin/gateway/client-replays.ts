// The retained messages of one client's subscriptions on their way from the Subscription Service.
// Rule: one replay at a time, at the client's pace: what it has not taken waits at the host. A copy of a topic that came live meanwhile
// is older than what the client has, and is dropped. A replay that is cut off is asked for again: copies come twice rather than never.

import type { Delivery } from '../host.js'
import { publishAddress } from '../messages/addresses.js'
import { decodePublication } from '../messages/publish.js'
import { isReplayed } from '../messages/replay.js'
import { matches } from '../mqtt/topic.js'
import { isGone } from '../service-connection.js'
import type { ClientIdentity } from './client-subscriptions.js'
import type { GatewayParts } from './gateway-parts.js'
import type { InboxClient } from './inbox.js'
import { LiveTopics } from './live-topics.js'
import type { ReplayChannel, ReplayReceiver } from './replay-channels.js'

/** Copies that the client has not taken, those on their way from the host too. */
const WINDOW = 20
const ACCEPTED = { type: 'accepted' } as const

/** What one AMQP_SUBSCRIBE brings. */
export interface Replay {
  readonly channel: ReplayChannel
  readonly live: LiveTopics
  /** those that the service has granted, and the client has not left */
  readonly filters: Set<string>
  /** some were left: copies for them may still come */
  narrowed: boolean
  /** until the client has its SUBACK */
  held: Delivery[] | undefined
}

/** `later`: another one is under way, and what is granted comes after it. undefined: the host makes no reply nodes. */
export type Begun = Replay | 'later' | undefined

export class ClientReplays implements ReplayReceiver {
  readonly #parts: GatewayParts
  readonly #client: InboxClient
  readonly #identity: ClientIdentity
  readonly #inTurn: (act: () => Promise<void>) => void
  #current: Replay | undefined
  /** filters to be asked for when `current` is over; few clients ever have some */
  #due: Set<string> | undefined
  /** copies that the client has not taken */
  #inHand = 0
  #allowing = false
  #closed = false

  /** `inTurn`: acts when the client's requests before are answered. */
  constructor(
    parts: GatewayParts,
    client: InboxClient,
    identity: ClientIdentity,
    inTurn: (act: () => Promise<void>) => void
  ) {
    this.#parts = parts
    this.#client = client
    this.#identity = identity
    this.#inTurn = inTurn
  }

  /** The replay that the next AMQP_SUBSCRIBE asks for. Rejects with AmqpError. */
  async begin(): Promise<Begun> {
    if (this.#busy) return 'later'
    const { replays, inbox } = this.#parts
    const channel = await replays.borrow(this)
    if (channel === undefined) return undefined
    if (this.#closed) {
      replays.giveBack(channel)
      return undefined
    }
    const live = new LiveTopics()
    this.#current = { channel, live, filters: new Set(), narrowed: false, held: [] }
    inbox.watch(this.#client, live)
    channel.allow(this.#window)
    return this.#current
  }

  /** The service has granted these filters; `replay`: what begin said. */
  granted(replay: Begun, filters: Iterable<string>): void {
    if (replay === undefined || this.#closed) return
    if (replay === this.#current) for (const filter of filters) replay.filters.add(filter)
    else this.#owe(filters)
    if (replay === this.#current && replay.filters.size === 0) this.#drop(replay)
    this.#proceed()
  }

  /** The client has been told what was granted: copies may follow. */
  release(): void {
    const replay = this.#current
    const held = replay?.held
    if (replay === undefined || held === undefined || replay.filters.size === 0) return
    replay.held = undefined
    for (const delivery of held) this.#take(replay, delivery)
  }

  /** The client has left these filters. */
  left(filters: Iterable<string>): void {
    const replay = this.#current
    for (const filter of filters) {
      this.#due?.delete(filter)
      if (replay?.filters.delete(filter) === true) replay.narrowed = true
    }
    if (replay?.narrowed === true && replay.filters.size === 0) this.#drop(replay)
    this.#proceed()
  }

  onDelivery(delivery: Delivery): void {
    const replay = this.#current
    if (replay === undefined) delivery.settle(ACCEPTED)
    else if (replay.held === undefined) this.#take(replay, delivery)
    else replay.held.push(delivery)
  }

  onInterrupted(): void {
    if (this.#current === undefined) this.#proceed()
    else this.#cutOff(this.#current)
  }

  close(): void {
    this.#closed = true
    this.#due = undefined
    this.#parts.replays.forget(this)
    if (this.#current !== undefined) this.#drop(this.#current)
  }

  get #busy(): boolean {
    return this.#current !== undefined || this.#inHand > 0
  }

  get #window(): number {
    return Math.min(WINDOW, this.#parts.options.values.receiveMaximum)
  }

  #take(replay: Replay, delivery: Delivery): void {
    const { clientId } = this.#identity
    if (replay !== this.#current) return
    const { address } = replay.channel
    const { to, correlationId } = delivery.message.properties
    if (isReplayed(delivery.message) && to === address && correlationId === publishAddress(clientId)) {
      delivery.settle(ACCEPTED)
      return this.#over(replay)
    }
    if (replay.live.full) return this.#cutOff(replay)
    // 0: what the service counted is not the client's
    const from = { address, exact: false, deliveryCount: 0 }
    const publication = decodePublication(delivery.message, from)
    const { topic } = publication
    const qos = this.#parts.inbox.qosFor(this.#client, topic)
    if (qos === undefined || replay.live.has(topic) || !isWanted(replay, topic)) {
      delivery.settle(ACCEPTED)
      return this.#allowLater()
    }
    this.#inHand += 1
    this.#client.deliver(publication, qos, () => {
      delivery.settle(ACCEPTED)
      this.#inHand -= 1
      if (replay === this.#current) this.#allowLater()
      else this.#proceed()
    })
  }

  /** In the next turn: by then it is known whether the client's socket takes more. */
  #allowLater(): void {
    if (this.#allowing) return
    this.#allowing = true
    setImmediate(() => {
      this.#allowing = false
      this.#current?.channel.allow(this.#window - this.#inHand)
    })
  }

  /** All copies came. */
  #over(replay: Replay): void {
    this.#end()
    this.#parts.replays.giveBack(replay.channel)
    this.#proceed()
  }

  #cutOff(replay: Replay): void {
    this.#owe(replay.filters)
    this.#drop(replay)
    this.#proceed()
  }

  #owe(filters: Iterable<string>): void {
    this.#due ??= new Set()
    for (const filter of filters) this.#due.add(filter)
  }

  #drop({ channel }: Replay): void {
    this.#end()
    this.#parts.replays.discard(channel)
  }

  #end(): void {
    this.#current = undefined
    this.#parts.inbox.unwatch(this.#client)
  }

  #proceed(): void {
    if (this.#due !== undefined && !this.#busy && !this.#closed) this.#inTurn(() => this.#ask())
  }

  /** Asks for what is due; of filters that the client has already. */
  async #ask(): Promise<void> {
    const { inbox, replays, requests, log } = this.#parts
    const { clientId, connection, principal } = this.#identity
    const due = this.#due
    const filters = new Map([...inbox.grantedTo(this.#client)].filter(([filter]) => due?.has(filter)))
    const [first] = filters.keys()
    if (first === undefined || this.#closed) {
      this.#due = undefined
      return
    }
    // those that wait are told when there is a service again, and after it was told who they are
    if (!requests.attached) return replays.wait(this)
    let replay: Begun
    try {
      replay = await this.begin()
    } catch (error) {
      if (isGone(error)) return replays.wait(this)
      log.warn(
        { clientId, filter: first, err: error },
        'a subscription was refused: the host gave no replay channel'
      )
      return this.#client.sourceLost(first)
    }
    if (replay === undefined || replay === 'later') return
    this.#due = undefined
    this.granted(replay, filters.keys())
    this.release()
    const answer = requests.resume({
      ...{ type: 'subscribe', clientId, connection, user: principal.name, filters },
      ...{ delivery: 'inbox', partial: true, replayTo: replay.channel.address }
    })
    void answer.then(outcome => {
      if (outcome.type !== 'rejected' || this.#current !== replay) return
      log.warn({ clientId, outcome }, 'the subscription service refused a subscription')
      this.#client.sourceLost(first)
    })
  }
}

function isWanted({ filters, narrowed }: Replay, topic: string): boolean {
  if (!narrowed) return true
  for (const filter of filters) if (matches(filter, topic)) return true
  return false
}
