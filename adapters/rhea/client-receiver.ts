// A link on which we receive.
// Rule: credit comes back when a delivery is settled, never when it arrives, so that no more than the window is ever unsettled; messages
// are the bytes that came.

import type { Delivery, LinkError, Outcome, Receiver, ReceiverOptions } from '../../plugin/host.js'
import { ClientEnd, hasTerminus, type ClientLink } from './client-link.js'
import type { SessionContext } from './client-session.js'
import type { IncomingDeliveries } from './incoming-deliveries.js'
import { EncodedMessage } from './message.js'
import { outcomeState } from './outcomes.js'
import type { RheaAttach, RheaFlow, RheaIncomingDelivery, RheaLink } from './rhea.js'
import { terminusOf } from './server-link.js'

interface DrainingLink extends RheaLink {
  drain: boolean
}

export class ClientReceiver implements Receiver, ClientLink {
  readonly name: string
  readonly end: ClientEnd
  readonly #link: DrainingLink
  readonly #context: SessionContext
  readonly #incoming: IncomingDeliveries
  readonly #options: ReceiverOptions
  #address: string
  #drains: (() => void)[] = []

  constructor(
    link: RheaLink,
    context: SessionContext,
    incoming: IncomingDeliveries,
    options: ReceiverOptions
  ) {
    this.name = link.local.attach.name
    this.end = new ClientEnd(link, context.connection, closed => {
      this.#drained()
      options.onClosed?.(closed)
    })
    this.#link = link as DrainingLink
    this.#context = context
    this.#incoming = incoming
    this.#options = options
    this.#address = options.address ?? ''
  }

  get address(): string {
    return this.#address
  }

  addCredit(credit: number): void {
    if (this.end.open) this.#link.flow(credit)
  }

  async drain(): Promise<void> {
    if (!this.end.open || this.#link.credit === 0) return
    await new Promise<void>(resolve => {
      this.#drains.push(resolve)
      this.#link.drain = true
      this.#link.issue_flow = true
      this.#context.connection._register()
    })
  }

  async close(error?: LinkError): Promise<void> {
    await this.end.close(error)
    this.#drained()
  }

  attached(attach: RheaAttach): void {
    if (!hasTerminus(attach)) return // its detach follows
    this.#address = terminusOf(attach.source)?.address ?? this.#address
    this.#link.delivery_count = attach.initial_delivery_count ?? 0
    this.end.opened()
    this.#link.flow(this.#options.window)
  }

  flow({ drain, delivery_count, link_credit }: RheaFlow): void {
    if (drain !== true || !this.#link.drain) return
    const end = (this.#link.delivery_count + this.#link.credit) >>> 0
    if (typeof delivery_count === 'number' && delivery_count !== end) return // of a drain that ended before
    this.#link.delivery_count = delivery_count ?? this.#link.delivery_count
    this.#link.credit = link_credit ?? 0
    this.#link.drain = false // rhea would ask for a drain with all credit from now on
    this.#drained()
  }

  wake(): void {}

  /** A whole message came. */
  deliver(incoming: RheaIncomingDelivery, bytes: Buffer, tag: Buffer): void {
    if (!this.end.open) return
    const message = new EncodedMessage(bytes)
    const { id, deliveryCount } = this.#context.readDelivery?.(tag, message) ?? {
      id: undefined,
      deliveryCount: message.deliveryCount
    }
    const settle = (outcome: Outcome): void => {
      if (!this.end.open || !this.#incoming.settle(incoming, outcomeState(outcome))) return
      if (this.#options.window > 0) this.#link.flow(1)
    }
    const delivery: Delivery = { message, id, deliveryCount, settle }
    this.#options.onDelivery(delivery)
    // who has used up all credit need not say so
    if (this.#link.drain && this.#link.credit === 0) {
      this.#link.drain = false
      this.#drained()
    }
  }

  #drained(): void {
    for (const done of this.#drains.splice(0)) done()
  }
}
