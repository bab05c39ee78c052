// From a receiver of the core to a client's receiver.
// Rule: the core is given only as much credit as can be sent on at once, to the client's credit, the session's ring and the socket; what
// comes for credit that the client has taken back is released.

import type { LinkClosed, LinkError, Outcome, Receiver } from '../../../plugin/host.js'
import { bytesForDelivery } from '../message.js'
import type { OutboundLink } from '../outbound-link.js'
import { kindOf, type BridgeContext, type CoreDelivery } from './bridge.js'

/** Deliveries that the core may have on the way to the link. */
const BATCH = 64

const ACCEPTED: Outcome = { type: 'accepted' }
const RELEASED: Outcome = { type: 'released' }
const TOO_LONG: Outcome = {
  type: 'rejected',
  condition: 'amqp:link:message-size-exceeded',
  description: 'the receiver takes no message of this size'
}
const SOURCELESS: LinkError = {
  condition: 'amqp:invalid-field',
  description: 'a receiver needs a source address'
}

/** Opens a receiver for the link's source and answers the attach. Never rejects. */
export async function bridgeOutbound(link: OutboundLink, context: BridgeContext): Promise<void> {
  const { name, address, dynamic, capabilities, distributionMode } = link.request
  if (address === undefined && !dynamic) return link.close(SOURCELESS)
  const bridge = new OutboundBridge(link, context)
  try {
    const receiver = await context.connection.openReceiver({
      name,
      address: dynamic ? undefined : address,
      kind: kindOf(capabilities),
      browse: distributionMode === 'copy',
      capabilities,
      window: 0,
      onDelivery: delivery => bridge.deliver(delivery),
      onClosed: ({ error }) => link.close(error)
    })
    if (link.closed) await receiver.close(link.closedByClient?.error)
    else bridge.start(receiver, dynamic)
  } catch (error) {
    link.close(context.refusal(error))
  }
}

class OutboundBridge {
  readonly #link: OutboundLink
  readonly #context: BridgeContext
  #receiver: Receiver | undefined
  #draining = false
  #granting = false
  #grantAgain = false

  constructor(link: OutboundLink, context: BridgeContext) {
    this.#link = link
    this.#context = context
  }

  start(receiver: Receiver, dynamic: boolean): void {
    this.#receiver = receiver
    const handlers = { onFlow: () => this.#flow(), onClosed: (closed: LinkClosed) => this.#closed(closed) }
    this.#link.accept(handlers, dynamic ? receiver.address : undefined)
    this.#flow() // credit may have come before the answer
  }

  deliver(delivery: CoreDelivery): void {
    const { message } = delivery
    // the plugin elsewhere gets the header as it was, and the count in the tag
    const { tagOf } = this.#context
    const { deliveryCount } = tagOf === undefined ? delivery : message
    const tag = tagOf?.(delivery)
    const ttlMs = message.ttlMs === undefined ? undefined : delivery.remainingMs(Date.now())
    const bytes = bytesForDelivery(this.#context.encode(message), { deliveryCount, ttlMs })
    if (bytes.length > this.#link.maxMessageSize) delivery.settle(TOO_LONG)
    else if (!this.#link.send(bytes, outcome => delivery.settle(outcome), tag)) delivery.settle(RELEASED)
    else if (this.#link.presettled) delivery.settle(ACCEPTED)
    if (!this.#draining && this.#link.reserved <= BATCH / 2) this.#grant()
  }

  #flow(): void {
    if (this.#draining) return // its loop looks for itself
    if (this.#link.draining && this.#link.credit > 0) void this.#drain()
    else this.#grant()
  }

  #grant(): void {
    this.#grantAgain = true
    if (this.#granting) return // a delivery came while credit was given
    this.#granting = true
    while (this.#grantAgain) {
      this.#grantAgain = false
      const link = this.#link
      const takenBack = link.reserved - link.credit
      if (takenBack > 0) {
        link.unreserve(takenBack)
        this.#receiver?.addCredit(-takenBack)
      }
      const more = link.reserve(BATCH - link.reserved)
      if (more > 0) this.#receiver?.addCredit(more)
    }
    this.#granting = false
  }

  /** Sends all there is, then says so; where the socket is full, goes on when it is not. */
  async #drain(): Promise<void> {
    const link = this.#link
    this.#draining = true
    let sent = true
    while (sent && !link.closed && link.draining && !link.congested) {
      const before = link.credit
      const more = link.reserve(before - link.reserved)
      if (more > 0) this.#receiver?.addCredit(more)
      await this.#receiver?.drain().catch(() => {}) // a receiver that is gone has told the link
      link.unreserve()
      sent = link.credit < before && link.credit > 0
    }
    this.#draining = false
    if (!link.draining) this.#grant()
    else if (!link.congested) link.drained()
  }

  #closed({ cause, error }: LinkClosed): void {
    if (cause !== 'lost') void this.#receiver?.close(error) // else the core's connection ends them all
  }
}
