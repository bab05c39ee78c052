// A session that outlives its connection, as this connection has it: its filters with their granted QoS, and its queue.
// Rule: what the client has not acknowledged stays with the host; when the connection ends it is written down before it goes back.

import { BridgeError } from '../errors.js'
import type { Delivery, Outcome } from '../host.js'
import { publishAddress } from '../messages/addresses.js'
import type { InFlightEntry } from '../messages/in-flight.js'
import { decodePublication } from '../messages/publish.js'
import type { Qos } from '../mqtt/packets.js'
import type { Unacknowledged } from '../session/outbound.js'
import type { SessionEvent } from '../session/types.js'
import type { ClientIdentity, FilterSource } from './client-subscriptions.js'
import type { GatewayParts } from './gateway-parts.js'
import { GrantedFilters } from './granted-filters.js'
import { InFlightList } from './in-flight-list.js'
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
  /** somebody else has the session: nothing of it may be written any more */
  #over = false

  constructor(options: ClientQueueOptions) {
    const { parts, identity, found, handle } = options
    const { space, log, config } = parts
    this.#options = options
    this.#address = publishAddress(identity.clientId)
    this.#list = new InFlightList(space, log, identity.clientId, identity.connection)
    for (const [filter, qos] of found.filters) this.#granted.set(filter, qos)
    this.#receiver = new QueueReceiver({
      ...{ space, log, address: this.#address },
      window: () => parts.options.values.receiveMaximum,
      graceMs: () => config().host.outageGraceMs,
      onAttached: again => this.#attached(again),
      onDelivery: (delivery, settle) => this.#deliver(delivery, settle),
      onLost: () => handle({ type: 'returned' }),
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

  /** Gives back what was not acknowledged, when it is written down. Rejects where the host fails. */
  async close(unacknowledged: readonly Unacknowledged[]): Promise<void> {
    await this.#receiver.stop()
    try {
      if (!this.#over && this.#restored && this.#receiver.attached) {
        await this.#list.write(unacknowledged.filter(isEntry).map(({ id, packetId }) => ({ id, packetId })))
        for (const { delivery } of unacknowledged) delivery?.settle?.('failed')
      }
    } finally {
      await this.#receiver.close()
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

  async #attached(again: boolean): Promise<void> {
    const { handle, confirm, found } = this.#options
    if (again) await confirm()
    if (this.#restored) return
    const { sessionPresent, previousConnection } = found
    if (sessionPresent && previousConnection !== undefined)
      handle({ type: 'restored', inFlight: await this.#list.takeOver(previousConnection) })
    this.#restored = true
  }

  #deliver({ message, id, deliveryCount }: Delivery, settle: (outcome: Outcome) => void): void {
    const publication = decodePublication(message, { address: this.#address, exact: false, deliveryCount })
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
    this.#over = error.code === 'sessionTakenOver'
    handle({ type: 'end', error })
  }
}

const isEntry = (sent: Unacknowledged): sent is Unacknowledged & InFlightEntry => sent.id !== undefined
