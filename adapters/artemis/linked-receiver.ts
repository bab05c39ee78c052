// The client's end of a link to an address that the plugin serves, on which the server sends.
// Rule: the server gets the credit that this side gives, and each outcome once; a drain is a question to the server.

import { randomUUID } from 'node:crypto'
import type { Delivery, LinkError, Message, Outcome, Receiver, ReceiverOptions } from '../../plugin/host.js'
import { ClientEnd, type Attaching } from './client-end.js'
import type { Frame } from './link-frames.js'

export class LinkedReceiver implements Receiver {
  readonly name: string
  readonly address: string
  readonly #end: ClientEnd
  readonly #options: ReceiverOptions
  readonly #drains = new Map<number, () => void>()
  /** what the server may still send */
  #credit = 0
  #lastDrain = 0

  private constructor(options: ReceiverOptions, attaching: Attaching) {
    this.name = options.name ?? `receiver-${randomUUID()}`
    this.address = attaching.address
    this.#options = options
    this.#end = new ClientEnd({
      ...attaching,
      onFrame: frame => this.#take(frame),
      onClosed: closed => {
        this.#drained()
        options.onClosed?.(closed)
      }
    })
  }

  /** Rejects with AmqpError: what the server refuses the link with, `amqp:not-found` where nobody serves the address. */
  static async open(options: ReceiverOptions, attaching: Attaching): Promise<LinkedReceiver> {
    const receiver = new LinkedReceiver(options, attaching)
    await receiver.#end.attach('reader', receiver.name)
    receiver.addCredit(options.window)
    return receiver
  }

  /** The client's connection closes. */
  leave(): Promise<void> {
    return this.close()
  }

  addCredit(credit: number): void {
    if (credit <= 0 || !this.#end.open) return
    this.#credit += credit
    this.#end.send({ type: 'flow', credit })
  }

  async drain(): Promise<void> {
    if (!this.#end.open || this.#credit === 0) return
    const drain = ++this.#lastDrain
    await new Promise<void>(resolve => {
      this.#drains.set(drain, resolve)
      this.#end.send({ type: 'drain', drain })
    })
  }

  async close(error?: LinkError): Promise<void> {
    await this.#end.close(error)
    this.#drained()
  }

  #take(frame: Frame): void {
    if (frame.type === 'transfer') this.#deliver(frame.delivery, frame.message)
    if (frame.type !== 'drained') return
    this.#credit = 0
    this.#drains.get(frame.drain)?.()
    this.#drains.delete(frame.drain)
  }

  #deliver(delivery: number, message: Message): void {
    this.#credit = Math.max(0, this.#credit - 1)
    let settled = false
    const settle = (outcome: Outcome): void => {
      if (settled) return
      settled = true
      this.#end.send({ type: 'outcome', delivery, outcome })
      if (this.#options.window > 0) this.addCredit(1)
    }
    const { deliveryCount } = message
    const given: Delivery = { message, id: undefined, deliveryCount, settle }
    this.#options.onDelivery(given)
  }

  #drained(): void {
    for (const done of this.#drains.values()) done()
    this.#drains.clear()
  }
}
