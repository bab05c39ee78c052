// The gateway's control address: orders and replies of the Subscription Service for all clients of the gateway.
// Rule: an order is answered when nothing is left of the connection it names; one that is not here is gone already.

import { randomUUID } from 'node:crypto'
import { Backoff } from '../backoff.js'
import { BridgeError } from '../errors.js'
import type { AmqpConnection, Delivery, Logger, Receiver } from '../host.js'
import { gatewayControlAddress } from '../messages/addresses.js'
import { decodeDisconnect, type DisconnectOrder } from '../messages/orders.js'
import { decodeSubscriptions } from '../messages/subscriptions.js'
import type { Clients } from './clients.js'
import { ListReplies } from './list-replies.js'
import type { SubscriptionRequests } from './subscription-requests.js'
import { within } from './within.js'

/** Orders that are obeyed at once. */
const WINDOW = 1000
/** ms between attempts to attach again */
const MIN_DELAY_MS = 10
const MAX_DELAY_MS = 500

export interface ControlOptions {
  readonly connection: AmqpConnection
  readonly clients: Clients
  readonly requests: SubscriptionRequests
  /** what a client may take to end before it is cut off */
  readonly timeoutMs: () => number
  readonly log: Logger
}

export class Control {
  /** clients name it where orders for them go */
  readonly address = gatewayControlAddress(randomUUID())
  /** replies to AMQP_LIST come here, too */
  readonly lists = new ListReplies()
  #receiver: Receiver | undefined
  #delay: NodeJS.Timeout | undefined
  readonly #backoff = new Backoff(MIN_DELAY_MS, MAX_DELAY_MS)
  /** one line tells of an outage, and one of its end */
  #told = false
  #closed = false

  /** Receives orders from now on. Rejects with AmqpError. */
  async open(options: ControlOptions): Promise<void> {
    await this.#attach(options)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#delay)
    await this.#receiver?.close()
  }

  async #attach(options: ControlOptions): Promise<void> {
    const receiver = await options.connection.openReceiver({
      address: this.address,
      window: WINDOW,
      exclusive: true,
      onDelivery: delivery => {
        this.#onDelivery(options, delivery).catch((error: unknown) =>
          options.log.error({ err: error }, 'an order of the service could not be obeyed')
        )
      },
      onClosed: () => {
        this.#receiver = undefined
        this.#attachLater(options)
      }
    })
    this.#backoff.reset()
    if (this.#told) options.log.info({ address: this.address }, 'orders of the service are received again')
    this.#told = false
    if (this.#closed) await receiver.close()
    else this.#receiver = receiver
  }

  #attachLater(options: ControlOptions): void {
    if (this.#closed) return
    this.#delay = setTimeout(() => {
      this.#attach(options).catch((error: unknown) => {
        const fields = { address: this.address, err: error }
        if (!this.#told) options.log.warn(fields, 'orders of the service cannot be received')
        this.#told = true
        this.#attachLater(options)
      })
    }, this.#backoff.next())
  }

  async #onDelivery(options: ControlOptions, delivery: Delivery): Promise<void> {
    const order = decodeDisconnect(delivery.message)
    const reply = order === undefined ? decodeSubscriptions(delivery.message) : undefined
    if (order !== undefined) await obey(options, order)
    if (reply !== undefined) this.lists.came(reply)
    delivery.settle({ type: 'accepted' })
  }
}

async function obey(
  { clients, requests, timeoutMs, log }: ControlOptions,
  { clientId, connection, reason }: DisconnectOrder
): Promise<void> {
  const client = clients.having(connection)
  if (client !== undefined) {
    log.debug({ clientId, reason }, 'the service ends a client')
    const error = new BridgeError('sessionTakenOver', 'a connection elsewhere has this client id')
    client.leave(error)
    await within(timeoutMs(), clients.gone(connection))
    await client.end(error)
  }
  await requests.answer(clientId, connection)
}
