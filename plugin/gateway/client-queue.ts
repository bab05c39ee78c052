// A session that outlives its connection, as this connection has it: its filters with their granted QoS, and its queue.
// Rule: what the client has not acknowledged stays with the host; when the connection ends it is written down before it goes back.

import { AmqpError, BridgeError } from '../errors.js'
import type { AmqpConnection, Delivery, Message, Outcome } from '../host.js'
import { decodeAwayMark, encodeAwayMark } from '../messages/away-mark.js'
import type { InFlightEntry } from '../messages/in-flight.js'
import { spellingOf } from '../messages/peer.js'
import { decodePublication } from '../messages/publish.js'
import type { Qos } from '../mqtt/packets.js'
import { Outbox } from '../outbox.js'
import type { Unacknowledged } from '../session/outbound.js'
import type { SessionEvent } from '../session/types.js'
import type { ClientIdentity, FilterSource } from './client-subscriptions.js'
import type { GatewayParts } from './gateway-parts.js'
import { GrantedFilters } from './granted-filters.js'
import { InFlightList, NAMELESS } from './in-flight-list.js'
import type { InboxClient } from './inbox.js'
import type { ListReply } from './list-replies.js'
import { QueueReceiver } from './queue-receiver.js'

const ACCEPTED: Outcome = { type: 'accepted' }
const FAILED: Outcome = { type: 'modified', deliveryFailed: true, undeliverableHere: false }

export interface ClientQueueOptions {
  readonly parts: GatewayParts
  readonly identity: ClientIdentity
  readonly found: ListReply
  /** to the session core */
  readonly handle: (event: SessionEvent) => void
  readonly failed: (bug: unknown) => void
  /** Resolves when the service has said that this connection still has the session; rejects with BridgeError. */
  readonly confirm: () => Promise<void>
}

export class ClientQueue implements FilterSource {
  readonly delivery = 'queue'
  readonly #granted = new GrantedFilters()
  readonly #options: ClientQueueOptions
  readonly #address: string
  readonly #list: InFlightList
  readonly #receiver: QueueReceiver
  #restored = false
  #closing = false
  /** until the mark comes */
  #dropsQos0 = false

  constructor(options: ClientQueueOptions) {
    const { parts, identity, found, handle } = options
    const { space, log, config } = parts
    this.#options = options
    this.#address = spellingOf(parts.peer).publish(identity.clientId)
    const connection = parts.peer === 'original' ? NAMELESS : identity.connection
    this.#list = new InFlightList(space, log, identity.clientId, connection)
    for (const [filter, qos] of found.filters) this.#granted.set(filter, qos)
    this.#receiver = new QueueReceiver({
      ...{ space, log, address: this.#address },
      window: () => parts.options.values.receiveMaximum,
      graceMs: () => config().host.outageGraceMs,
      onAttached: (connection, again) => this.#attached(connection, again),
      onDelivery: (delivery, settle) => this.#deliver(delivery, settle),
      onLost: () => {
        this.#dropsQos0 = false
        handle({ type: 'returned' })
      },
      onEnded: error => this.#ended(error)
    })
  }

  /** From now on deliveries come. */
  open(): void {
    this.#receiver.open()
  }

  /** The options have changed. */
  reconfigured(): void {
    this.#receiver.topUp()
  }

  /** Gives back what was not acknowledged, when it is written down. */
  async close(unacknowledged: readonly Unacknowledged[]): Promise<void> {
    this.#closing = true
    await this.#receiver.stop()
    try {
      // without the link somebody else may have the session: nothing of it is written any more
      if (this.#restored && this.#receiver.attached) {
        await this.#write(unacknowledged.filter(isEntry))
        for (const { delivery } of unacknowledged) delivery?.settle?.('failed')
      } else if (!this.#restored) {
        await this.#passOn()
      }
    } finally {
      await this.#receiver.close()
    }
  }

  /** It ended before anything came: what the connection before it had in flight is for the one after it. */
  async #passOn(): Promise<void> {
    const { sessionPresent, previousConnection } = this.#options.found
    if (sessionPresent && previousConnection !== undefined)
      await this.#noted(async () => void (await this.#list.takeOver(previousConnection)))
  }

  #write(unacknowledged: readonly InFlightEntry[]): Promise<void> {
    return this.#noted(() => this.#list.write(unacknowledged.map(({ id, packetId }) => ({ id, packetId }))))
  }

  /** Without its record nothing is lost but the packet ids. */
  async #noted(write: () => Promise<void>): Promise<void> {
    try {
      await write()
    } catch (error) {
      if (!(error instanceof AmqpError)) throw error
      const { parts, identity } = this.#options
      parts.log.warn(
        { clientId: identity.clientId, err: error },
        'what a client had in flight could not be written down'
      )
    }
  }

  has(_client: InboxClient, filter: string): boolean {
    return this.#granted.filters.has(filter)
  }

  filtersOf(): number {
    return this.#granted.filters.size
  }

  /** The service makes the route; what comes by it before its answer is granted no more than was asked for. */
  async subscribe(_client: InboxClient, filter: string, qos: Qos): Promise<void> {
    this.#granted.set(filter, qos)
  }

  grant(_client: InboxClient, filter: string, qos: Qos): void {
    if (this.#granted.filters.has(filter)) this.#granted.set(filter, qos)
  }

  unsubscribe(_client: InboxClient, filter: string): void {
    this.#granted.delete(filter)
  }

  /** The session stays. */
  remove(): void {}

  async #attached(connection: AmqpConnection, again: boolean): Promise<void> {
    const { handle, confirm, found } = this.#options
    if (again) await confirm()
    if (this.#restored) return
    const { sessionPresent, previousConnection } = found
    if (sessionPresent && previousConnection !== undefined) {
      const inFlight = await this.#list.takeOver(previousConnection)
      // the session core has ended: what it was to send again stays written down
      if (this.#closing) return
      handle({ type: 'restored', inFlight })
    }
    if (sessionPresent) await this.#dropAway(connection)
    this.#restored = true
  }

  /** What was queued while nobody was there, up to the mark, is not for this client where its QoS is 0. */
  async #dropAway(connection: AmqpConnection): Promise<void> {
    const { parts, identity } = this.#options
    const { sessions, services } = parts.config()
    // an original gateway that came next would take the mark for a publication
    if (sessions.queueQos0 || parts.peer === 'original') return
    const outbox = new Outbox(connection, this.#address)
    const outcome = await outbox.send(encodeAwayMark(this.#address, identity.connection), services.timeoutMs)
    await outbox.close()
    this.#dropsQos0 = outcome.type === 'accepted'
  }

  #isMark(message: Message): boolean {
    const { identity } = this.#options
    const mark = decodeAwayMark(message, this.#address)
    if (mark === identity.connection) this.#dropsQos0 = false
    return mark !== undefined
  }

  #deliver({ message, id, deliveryCount }: Delivery, settle: (outcome: Outcome) => void): void {
    if (this.#isMark(message)) return settle(ACCEPTED)
    const publication = decodePublication(message, { address: this.#address, exact: false, deliveryCount })
    if (this.#dropsQos0 && publication.qos === 0 && publication.retained !== true) {
      this.#options.parts.counters.dropped[0].add(1)
      return settle(ACCEPTED)
    }
    this.#options.handle({
      type: 'delivery',
      delivery: {
        publication,
        // where no filter is there any more, the publication was routed before it went
        grantedQos: this.#granted.granted(publication.topic) ?? publication.qos,
        size: publication.payload.length + publication.topic.length,
        id: id ?? (publication.uid && Buffer.from(publication.uid).toString('hex')),
        settle: outcome => settle(outcome === 'accepted' ? ACCEPTED : FAILED)
      }
    })
  }

  #ended(error: unknown): void {
    const { handle, failed } = this.#options
    if (!(error instanceof BridgeError)) return failed(error)
    handle({ type: 'end', error })
  }
}

const isEntry = (sent: Unacknowledged): sent is Unacknowledged & InFlightEntry => sent.id !== undefined
