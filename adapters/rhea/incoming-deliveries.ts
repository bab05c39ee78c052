// What a session of ours has received: transfers put together, and deliveries that are not settled.
// Rule: messages are handed on as the bytes that came, in their order; ids are serial numbers. (rhea decodes them, and counts past 2^32.)

import { AmqpError } from '../../plugin/errors.js'
import { tellState } from './dispositions.js'
import { incomingDelivery } from './rhea.js'
import type {
  RheaFrame,
  RheaIncomingDelivery,
  RheaLink,
  RheaSession,
  RheaTransfer,
  RheaTyped
} from './rhea.js'
import { UnsettledDeliveries } from './unsettled-deliveries.js'

/** Frames that the host may send before we give it more room. */
const CAPACITY = 8192

interface Partial {
  readonly delivery: RheaIncomingDelivery
  readonly tag: Buffer
}

export interface Taker {
  deliver(delivery: RheaIncomingDelivery, bytes: Buffer, tag: Buffer): void
}

export class IncomingDeliveries {
  readonly #session: RheaSession
  readonly #unsettled: UnsettledDeliveries
  readonly #partial = new Map<RheaLink, Partial>()

  constructor(session: RheaSession) {
    this.#session = session
    this.#unsettled = new UnsettledDeliveries(session, CAPACITY)
  }

  /** Takes one frame of a delivery. Throws AmqpError for what must end the connection. */
  transfer({ performative, payload }: RheaFrame<RheaTransfer>, link: RheaLink, taker: Taker): void {
    const { incoming } = this.#session
    incoming.next_transfer_id = (incoming.next_transfer_id + 1) >>> 0
    if (incoming.next_transfer_id === 0) this.#session._write_flow() // rhea's window does not see the wrap
    const partial = this.#partial.get(link) ?? this.#begin(performative, link)
    const { delivery, tag } = partial
    if (payload !== undefined) delivery.frames.push(payload)
    if (performative.more === true) {
      this.#partial.set(link, partial)
      return
    }
    this.#partial.delete(link)
    link.credit = Math.max(0, link.credit - 1)
    link.delivery_count = (link.delivery_count + 1) >>> 0
    if (performative.settled === true) this.#settled(delivery)
    if (performative.aborted === true) return this.#settled(delivery)
    const bytes = delivery.frames.length === 1 ? delivery.frames[0] : Buffer.concat(delivery.frames)
    delivery.frames = []
    taker.deliver(delivery, bytes ?? Buffer.alloc(0), tag)
  }

  /** False: it was settled before, or its link has ended. */
  settle(delivery: RheaIncomingDelivery, state: RheaTyped): boolean {
    if (delivery.settled || !this.#unsettled.remove(delivery)) return false
    tellState(this.#session, delivery, true, state)
    return true
  }

  /** The host settled deliveries by itself. */
  remoteSettled(first: number, last: number, settled: boolean): void {
    if (!settled) return
    for (const delivery of this.#unsettled.range(first, last)) this.#settled(delivery)
  }

  /** The link has ended. */
  drop(link: RheaLink): void {
    this.#partial.delete(link)
    for (const delivery of this.#unsettled.of(link)) this.#settled(delivery)
  }

  #begin({ delivery_id, delivery_tag, message_format }: RheaTransfer, link: RheaLink): Partial {
    const { incoming } = this.#session
    const expected = incoming.next_delivery_id ?? delivery_id
    if (typeof delivery_id !== 'number' || delivery_id !== expected) {
      throw new AmqpError('amqp:session:errant-link', `delivery ${delivery_id} is out of sequence`)
    }
    incoming.next_delivery_id = (delivery_id + 1) >>> 0
    const delivery = incomingDelivery(delivery_id, link, message_format)
    this.#unsettled.add(delivery)
    return { delivery, tag: delivery_tag ?? Buffer.alloc(0) }
  }

  #settled(delivery: RheaIncomingDelivery): void {
    delivery.remote_settled = true
    delivery.settled = true
    this.#unsettled.remove(delivery)
  }
}
