// A connection of the port as the listener wants one: credit can be taken back, and a client that vanishes has failed what it held.
// Rule: the host gives no more than the client has given; what comes for credit that was taken back is released. A client that attaches a
// receiver and then a sender may count on it that the receiver is there when it sends.

import { AmqpError, CONDITIONS } from '../../../plugin/errors.js'
import type {
  Delivery,
  LinkClosed,
  LinkError,
  Outcome,
  Receiver,
  ReceiverOptions,
  Sender,
  SenderOptions
} from '../../../plugin/host.js'
import type { CoreConnection, CoreDelivery, CoreReceiverOptions } from '../listener/bridge.js'
import { isServable, type ServingConnection } from './serving-connection.js'

const FAILED: Outcome = { type: 'modified', deliveryFailed: true, undeliverableHere: false }
const RELEASED: Outcome = { type: 'released' }
const GONE: LinkError = { condition: CONDITIONS.detachForced, description: 'the host has lost the link' }

export class PortConnection implements CoreConnection {
  readonly #inner: ServingConnection
  readonly #receivers = new Set<PortReceiver>()
  /** of receivers */
  readonly #opening = new Set<Promise<Receiver>>()

  constructor(inner: ServingConnection) {
    this.#inner = inner
  }

  async openSender({ name, address, kind, onCredit, onClosed }: SenderOptions): Promise<Sender> {
    if (this.#opening.size > 0) await Promise.allSettled(this.#opening)
    const options: SenderOptions = {
      ...{ name, address, kind, onCredit },
      onClosed: closed => onClosed?.(explained(closed))
    }
    return answered(address, this.#inner.openSender(options))
  }

  openReceiver(options: CoreReceiverOptions): Promise<Receiver> {
    const receiver = new PortReceiver(options, () => this.#receivers.delete(receiver))
    this.#receivers.add(receiver)
    const opening = receiver.open(this.#inner)
    const opened = (): void => void this.#opening.delete(opening)
    this.#opening.add(opening)
    opening.then(opened, opened)
    return opening
  }

  async close(): Promise<void> {
    await this.#inner.close()
  }

  lose(): void {
    for (const receiver of this.#receivers) receiver.fail()
    void this.#inner.abandon()
  }
}

class PortReceiver implements Receiver {
  readonly #options: CoreReceiverOptions
  readonly #onEnd: () => void
  readonly #unsettled = new Set<CoreDelivery>()
  #inner: Receiver | undefined
  /** what the client has given, of what the host has */
  #granted = 0
  /** what the client has taken back, and the host still has */
  #takenBack = 0

  constructor(options: CoreReceiverOptions, onEnd: () => void) {
    this.#options = options
    this.#onEnd = onEnd
  }

  async open(connection: ServingConnection): Promise<Receiver> {
    const { name, address, kind, browse, onClosed } = this.#options
    const options: ReceiverOptions = {
      ...{ name, address, kind, browse, window: 0 },
      onDelivery: delivery => this.#deliver(delivery),
      onClosed: closed => {
        this.#end()
        onClosed?.(explained(closed))
      }
    }
    try {
      this.#inner = await answered(address, connection.openReceiver(options))
      return this
    } catch (error) {
      this.#end()
      throw error
    }
  }

  get name(): string {
    return this.#inner?.name ?? ''
  }

  get address(): string {
    return this.#inner?.address ?? ''
  }

  addCredit(credit: number): void {
    if (credit < 0) {
      const back = Math.min(-credit, this.#granted)
      this.#granted -= back
      this.#takenBack += back
      return
    }
    const there = Math.min(credit, this.#takenBack)
    this.#takenBack -= there
    this.#granted += credit
    if (credit > there) this.#inner?.addCredit(credit - there)
  }

  async drain(): Promise<void> {
    await this.#inner?.drain()
    this.#granted = 0
    this.#takenBack = 0
  }

  async close(error?: LinkError): Promise<void> {
    this.#end()
    await this.#inner?.close(error)
  }

  /** What it has not settled was delivered in vain. */
  fail(): void {
    for (const delivery of [...this.#unsettled]) delivery.settle(FAILED)
  }

  #deliver(delivery: Delivery): void {
    const { message, id, deliveryCount } = delivery
    if (this.#granted === 0) {
      this.#takenBack--
      return delivery.settle(RELEASED)
    }
    this.#granted--
    const tracked: CoreDelivery = {
      ...{ message, id, deliveryCount },
      remainingMs: () => message.ttlMs,
      settle: outcome => {
        this.#unsettled.delete(tracked)
        delivery.settle(outcome)
      }
    }
    this.#unsettled.add(tracked)
    this.#options.onDelivery(tracked)
  }

  #end(): void {
    this.#unsettled.clear()
    this.#onEnd()
  }
}

/** A server in another process that does not answer is no reason to end the client's connection. */
async function answered<T>(address: string | undefined, opening: Promise<T>): Promise<T> {
  try {
    return await opening
  } catch (error) {
    const silent = error instanceof AmqpError && error.condition === CONDITIONS.connectionForced
    if (!silent || !isServable(address)) throw error
    throw new AmqpError(CONDITIONS.detachForced, error.description)
  }
}

/** The client is told why the host has ended a link. */
function explained(closed: LinkClosed): LinkClosed {
  return closed.cause === 'lost' && closed.error === undefined ? { ...closed, error: GONE } : closed
}
