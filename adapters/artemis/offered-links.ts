// Links of clients to a served address, as their server meets them.
// Rule: what comes goes straight to the server, and its outcomes straight back; a client that reads is sent no more than its credit.

import type {
  Delivery,
  LinkClosed,
  LinkError,
  Message,
  Outcome,
  ServedLink,
  ServedReader
} from '../../plugin/host.js'
import type { Frame } from './link-frames.js'
import type { LinkWire } from './link-wire.js'
import { ServerEnd, type Attach } from './server-end.js'

interface Offer {
  readonly wire: LinkWire
  readonly id: string
  readonly attach: Attach
  readonly onEnded: () => void
}

/** The client sends. */
export class OfferedLink implements ServedLink {
  readonly name: string
  readonly address: string
  readonly user: ServedLink['user']
  readonly end: ServerEnd
  #handlers: Parameters<ServedLink['accept']>[0] | undefined

  constructor(offer: Offer) {
    const onClosed = (closed: LinkClosed): void => this.#handlers?.onClosed(closed)
    this.end = new ServerEnd({ ...offer, onFrame: frame => this.#take(frame), onClosed })
    this.name = offer.attach.name
    this.address = offer.attach.address
    this.user = this.end.user
  }

  accept(handlers: Parameters<ServedLink['accept']>[0]): void {
    this.#handlers ??= handlers
    this.end.accept(handlers.window)
  }

  close(error?: LinkError): void {
    this.end.close(error)
  }

  #take(frame: Frame): void {
    if (frame.type !== 'transfer') return
    const { delivery, message } = frame
    let settled = false
    const settle = (outcome: Outcome): void => {
      if (settled) return
      settled = true
      this.end.send({ type: 'outcome', delivery, outcome })
    }
    const { deliveryCount } = message
    const given: Delivery = { message, id: undefined, deliveryCount, settle }
    this.#handlers?.onDelivery(given)
  }
}

/** The client receives. */
export class OfferedReader implements ServedReader {
  readonly name: string
  readonly address: string
  readonly user: ServedReader['user']
  readonly end: ServerEnd
  readonly #outcomes = new Map<number, ((outcome: Outcome) => void) | undefined>()
  readonly #drains = new Set<() => void>()
  #handlers: Parameters<ServedReader['accept']>[0] | undefined
  #credit = 0
  #lastDelivery = 0

  constructor(offer: Offer) {
    const onClosed = (closed: LinkClosed): void => this.#handlers?.onClosed(closed)
    this.end = new ServerEnd({ ...offer, onFrame: frame => this.#take(frame), onClosed })
    this.name = offer.attach.name
    this.address = offer.attach.address
    this.user = this.end.user
  }

  get credit(): number {
    return this.end.open ? this.#credit : 0
  }

  accept(handlers: Parameters<ServedReader['accept']>[0]): void {
    this.#handlers ??= handlers
    this.end.accept(0)
  }

  send(message: Message, onOutcome?: (outcome: Outcome) => void): void {
    if (this.credit <= 0) throw new RangeError(`no credit to send from ${this.address}`)
    const delivery = ++this.#lastDelivery
    this.end.send({ type: 'transfer', delivery, message })
    this.#outcomes.set(delivery, onOutcome)
    if (--this.#credit === 0) this.#drained()
  }

  close(error?: LinkError): void {
    this.end.close(error)
  }

  #take(frame: Frame): void {
    if (frame.type === 'flow') this.#flow(frame.credit)
    else if (frame.type === 'drain') void this.#drain(frame.drain)
    else if (frame.type === 'outcome' && this.#outcomes.has(frame.delivery)) {
      const onOutcome = this.#outcomes.get(frame.delivery)
      this.#outcomes.delete(frame.delivery)
      onOutcome?.(frame.outcome)
    }
  }

  #flow(credit: number): void {
    const rose = this.#credit === 0
    this.#credit += credit
    if (rose && this.credit > 0) this.#handlers?.onCredit()
  }

  /** Answers when the server has sent all that there is, or all that there is credit for. */
  async #drain(drain: number): Promise<void> {
    const asked = this.#handlers?.onDrain
    if (asked !== undefined && this.#credit > 0) {
      await new Promise<void>(resolve => {
        const done = (): void => {
          this.#drains.delete(done)
          resolve()
        }
        this.#drains.add(done)
        asked().then(done, done)
      })
    }
    this.#credit = 0
    this.end.send({ type: 'drained', drain })
  }

  #drained(): void {
    for (const done of [...this.#drains]) done()
  }
}
