// Senders to queues and topics, and the relay that reads the address from each message.
// Rule: credit is what may be without an outcome; sends of one link keep their order, also where a right is asked that takes time.

import type { LinkClosed, Message, Outcome, SendOptions, Sender, SenderOptions } from '../../plugin/host.js'
import type { Broker } from './broker.js'
import { idOf } from './duplicate-id.js'
import { rejected } from './outcomes.js'
import type { Identity } from '../rhea/listener/bridge.js'
import { maySendTo } from './rights.js'
import type { OnOutcome } from './topics.js'
import { EmbeddedPrincipal } from './users.js'

export type Forward = (message: Message, onOutcome: OnOutcome, dedupId: Uint8Array | undefined) => void

export class EmbeddedSender implements Sender {
  readonly name: string
  readonly #options: SenderOptions
  readonly #forward: Forward
  readonly #onEnd: (sender: EmbeddedSender) => void
  #open = true
  #credit: number

  constructor(
    name: string,
    options: SenderOptions,
    credit: number,
    forward: Forward,
    onEnd: (sender: EmbeddedSender) => void
  ) {
    this.name = name
    this.#options = options
    this.#credit = credit
    this.#forward = forward
    this.#onEnd = onEnd
  }

  get credit(): number {
    return this.#open ? this.#credit : 0
  }

  send(message: Message, onOutcome?: (outcome: Outcome) => void, options?: SendOptions): void {
    if (this.credit <= 0) throw new RangeError(`no credit to send to ${this.#options.address ?? 'the relay'}`)
    this.#credit--
    try {
      this.#forward(message, outcome => this.#onOutcome(outcome, onOutcome), options?.dedupId)
    } catch (error) {
      this.#credit++ // a message that has no encoding was not sent
      throw error
    }
  }

  async close(): Promise<void> {
    this.#end()
  }

  /** The connection was lost, or closed. */
  leave(closed: LinkClosed): void {
    if (this.#end() && closed.cause === 'lost') this.#options.onClosed?.(closed)
  }

  /** The host ends it. */
  detach(closed: LinkClosed): void {
    if (this.#end()) this.#options.onClosed?.(closed)
  }

  #onOutcome(outcome: Outcome, onOutcome: ((outcome: Outcome) => void) | undefined): void {
    if (!this.#open) return
    const rose = this.#credit++ === 0
    onOutcome?.(outcome)
    if (rose && this.credit > 0) this.#options.onCredit?.()
  }

  #end(): boolean {
    if (!this.#open) return false
    this.#open = false
    this.#onEnd(this)
    return true
  }
}

/** Addresses whose answer a relay keeps. */
const KNOWN_ADDRESSES = 1000

interface Waiting {
  readonly address: string
  readonly message: Message
  readonly onOutcome: OnOutcome
  readonly id: Uint8Array | undefined
}

/** Sends each message where its `to` says, as far as the user may. */
export class Relay {
  readonly #broker: Broker
  readonly #who: Identity
  readonly #unlimited: boolean
  readonly #known = new Map<string, boolean>()
  /** behind an answer that takes time */
  readonly #waiting: Waiting[] = []
  #asking = false

  constructor(broker: Broker, who: Identity) {
    this.#broker = broker
    this.#who = who
    this.#unlimited = who === 'service' || (who instanceof EmbeddedPrincipal && who.maySendAll)
  }

  send(message: Message, onOutcome: OnOutcome, dedupId: Uint8Array | undefined): void {
    const address = message.properties.to
    if (address === undefined || address === '') {
      return onOutcome(rejected('amqp:invalid-field', 'a message to the anonymous relay needs a `to`'))
    }
    const sent = { address, message, onOutcome, id: idOf(message, dedupId, this.#who) }
    if (this.#asking) {
      this.#waiting.push(sent)
      return
    }
    const allowed = this.#ask(address)
    if (typeof allowed === 'boolean') this.#finish(sent, allowed)
    else void this.#sendLater(sent, allowed)
  }

  #ask(address: string): boolean | Promise<boolean> {
    if (this.#unlimited && !address.startsWith('$')) return true
    const known = this.#known.get(address)
    if (known !== undefined) return known
    const allowed = maySendTo(this.#who, address, this.#broker.options.served.has(address))
    if (typeof allowed === 'boolean') return this.#learn(address, allowed)
    return allowed.then(value => this.#learn(address, value))
  }

  #learn(address: string, allowed: boolean): boolean {
    if (this.#known.size >= KNOWN_ADDRESSES) this.#known.clear()
    this.#known.set(address, allowed)
    return allowed
  }

  #finish({ address, message, onOutcome, id }: Waiting, allowed: boolean): void {
    if (allowed) this.#broker.relay(address, message, onOutcome, id)
    else onOutcome(rejected('amqp:unauthorized-access', `no right to send to ${address}`))
  }

  async #sendLater(first: Waiting, allowed: Promise<boolean>): Promise<void> {
    this.#asking = true
    let next: Waiting | undefined = first
    let answer: boolean | Promise<boolean> = allowed
    while (next !== undefined) {
      try {
        this.#finish(next, await answer)
      } catch (error) {
        next.onOutcome(rejected('amqp:internal-error', String(error)))
      }
      next = this.#waiting.shift()
      if (next !== undefined) answer = this.#ask(next.address)
    }
    this.#asking = false
  }
}
