// What a receiver, a source or a served link got, in order, for a case to wait for and to settle.
// Rule: to show that something does not come, a case waits for a later message that must come, and looks at the order.

import type { Delivery, LinkClosed, Message, MessageBody, Outcome } from '../../plugin/host.js'
import { Signal } from './signal.js'

export const ACCEPTED: Outcome = { type: 'accepted' }
export const RELEASED: Outcome = { type: 'released' }
export const FAILED: Outcome = { type: 'modified', deliveryFailed: true, undeliverableHere: false }
export const REJECTED: Outcome = {
  type: 'rejected',
  condition: 'amqp:decode-error',
  description: 'not for me'
}

/** Data sections and strings as text. */
export function textOf(body: MessageBody): string {
  if (body.type === 'data') return body.sections.map(section => Buffer.from(section).toString()).join('')
  return body.type === 'value' ? String(body.value) : body.type
}

export class Inbox {
  /** all that came */
  readonly messages: Message[] = []
  /** the most that were unsettled at once */
  mostUnsettled = 0
  readonly #name: string
  readonly #signal: Signal
  readonly #waiting: Delivery[] = []
  readonly #closed: LinkClosed[] = []
  readonly #accepting: boolean
  #unsettled = 0

  /** `accepting`: what comes is accepted at once. */
  constructor(name: string, patienceMs: number, accepting = false) {
    this.#name = name
    this.#signal = new Signal(patienceMs)
    this.#accepting = accepting
  }

  readonly onDelivery = (delivery: Delivery): void => {
    this.mostUnsettled = Math.max(this.mostUnsettled, ++this.#unsettled)
    this.messages.push(delivery.message)
    let settled = false
    const settle = (outcome: Outcome): void => {
      if (!settled) this.#unsettled--
      settled = true
      delivery.settle(outcome)
    }
    const { message, id, deliveryCount } = delivery
    this.#waiting.push({ message, id, deliveryCount, settle })
    if (this.#accepting) settle(ACCEPTED)
    this.#signal.notify()
  }

  readonly onClosed = (closed: LinkClosed): void => {
    this.#closed.push(closed)
    this.#signal.notify()
  }

  /** texts of all that came */
  get all(): string[] {
    return this.messages.map(message => textOf(message.body))
  }

  /** how often onClosed was called */
  get closings(): number {
    return this.#closed.length
  }

  /** The next delivery that the case has not taken yet. */
  next(): Promise<Delivery> {
    return this.#signal.until(
      () => this.#waiting.shift(),
      () => `delivery ${this.messages.length + 1} on ${this.#name}; before it came ${this.#tail()}`
    )
  }

  /** The next deliveries, unsettled. */
  async take(count: number): Promise<Delivery[]> {
    const deliveries: Delivery[] = []
    while (deliveries.length < count) deliveries.push(await this.next())
    return deliveries
  }

  /** Texts of the next deliveries, each accepted when it came. */
  async texts(count: number): Promise<string[]> {
    const texts: string[] = []
    while (texts.length < count) {
      const delivery = await this.next()
      delivery.settle(ACCEPTED)
      texts.push(textOf(delivery.message.body))
    }
    return texts
  }

  /** Why the link ended, as onClosed was told. */
  closed(): Promise<LinkClosed> {
    return this.#signal.until(
      () => this.#closed[0],
      () => `the end of the link on ${this.#name}`
    )
  }

  #tail(): string {
    const texts = this.all.slice(-5).map(text => text.slice(0, 40))
    return texts.length === 0 ? 'nothing' : `${this.messages.length}, the last: ${texts.join(', ')}`
  }
}
