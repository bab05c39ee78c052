// The client's end of a link to an address that the plugin serves, on which the client sends.
// Rule: the server's outcome is the sender's outcome, and its window the sender's credit; each side learns how the other ended.

import { randomUUID } from 'node:crypto'
import type { LinkError, Message, Outcome, Sender, SenderOptions } from '../../plugin/host.js'
import type { Frame } from './link-frames.js'
import { ClientEnd, type Attaching } from './client-end.js'

export class LinkedSender implements Sender {
  readonly name: string
  readonly #end: ClientEnd
  readonly #options: SenderOptions
  readonly #outcomes = new Map<number, ((outcome: Outcome) => void) | undefined>()
  #credit = 0
  #lastDelivery = 0

  private constructor(options: SenderOptions, attaching: Attaching) {
    this.name = options.name ?? `sender-${randomUUID()}`
    this.#options = options
    this.#end = new ClientEnd({
      ...attaching,
      onFrame: frame => this.#take(frame),
      onClosed: closed => {
        this.#credit = 0
        options.onClosed?.(closed)
      }
    })
  }

  /** Rejects with AmqpError: what the server refuses the link with, `amqp:not-found` where nobody serves the address. */
  static async open(options: SenderOptions, attaching: Attaching): Promise<LinkedSender> {
    const sender = new LinkedSender(options, attaching)
    sender.#credit = await sender.#end.attach('sender', sender.name)
    if (sender.#credit > 0) setImmediate(() => sender.#rose())
    return sender
  }

  get credit(): number {
    return this.#end.open ? this.#credit : 0
  }

  /** The client's connection closes. */
  leave(): Promise<void> {
    return this.close()
  }

  send(message: Message, onOutcome?: (outcome: Outcome) => void): void {
    if (this.credit <= 0) throw new RangeError(`no credit to send to ${this.#options.address ?? ''}`)
    this.#credit--
    const delivery = ++this.#lastDelivery
    this.#outcomes.set(delivery, onOutcome)
    this.#end.send({ type: 'transfer', delivery, message })
  }

  async close(error?: LinkError): Promise<void> {
    this.#credit = 0
    await this.#end.close(error)
  }

  #take(frame: Frame): void {
    if (frame.type !== 'outcome' || !this.#outcomes.has(frame.delivery)) return
    const onOutcome = this.#outcomes.get(frame.delivery)
    this.#outcomes.delete(frame.delivery)
    const rose = this.#credit++ === 0
    onOutcome?.(frame.outcome)
    if (rose) this.#rose()
  }

  #rose(): void {
    if (this.credit > 0) this.#options.onCredit?.()
  }
}
