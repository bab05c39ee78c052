// A link on which we send.
// Rule: nothing is handed over without credit, and without a place in the session: a send that cannot go out would block every link of
// its session. Messages go out as the bytes they are.

import type { LinkError, Message, Outcome, SendOptions, Sender, SenderOptions } from '../../plugin/host.js'
import { ClientEnd, hasTerminus, type ClientLink } from './client-link.js'
import type { SessionContext } from './client-session.js'
import { withDedupId } from './dedup-annotation.js'
import { bytesForDelivery } from './message.js'
import type { OutgoingTransfers } from './outgoing-transfers.js'
import type { RheaAttach, RheaFlow, RheaLink } from './rhea.js'

export interface ClientSenderOptions extends SenderOptions {
  /** Resolves when all was sent that there is now, or for which there was credit. */
  readonly onDrain?: (() => Promise<void>) | undefined
}

export class ClientSender implements Sender, ClientLink {
  readonly name: string
  readonly end: ClientEnd
  readonly #link: RheaLink
  readonly #context: SessionContext
  readonly #transfers: () => OutgoingTransfers | undefined
  readonly #options: ClientSenderOptions
  /** messages handed over and credit drained since the start: delivery-count once all are written */
  #handed: number
  #hadCredit = false
  #draining = false
  /** the peer wants to know */
  #asked = false
  /** the owner is being asked */
  #asking = false

  constructor(
    link: RheaLink,
    context: SessionContext,
    transfers: () => OutgoingTransfers | undefined,
    options: ClientSenderOptions
  ) {
    this.name = link.local.attach.name
    this.end = new ClientEnd(link, context.connection, options.onClosed)
    this.#link = link
    this.#context = context
    this.#transfers = transfers
    this.#options = options
    const first = context.firstId
    this.#handed = link.delivery_count = link.local.attach.initial_delivery_count = first
    link._get_drain = () => this.#draining
  }

  get credit(): number {
    const transfers = this.#transfers()
    if (!this.end.open || transfers === undefined) return 0
    const pending = (this.#handed - this.#link.delivery_count) >>> 0
    return Math.max(0, Math.min(this.#link.credit - pending, transfers.places))
  }

  send(message: Message, onOutcome?: (outcome: Outcome) => void, options?: SendOptions): void {
    if (this.credit <= 0) throw new RangeError(`no credit to send to ${this.#options.address ?? 'the relay'}`)
    const bare = bytesForDelivery(message, { deliveryCount: message.deliveryCount })
    const bytes = options?.dedupId === undefined ? bare : withDedupId(bare, options.dedupId)
    this.#handed = (this.#handed + 1) >>> 0
    const delivery = {
      link: this.#link,
      settled: false,
      onOutcome: (outcome: Outcome) => this.#told(outcome, onOutcome)
    }
    this.#transfers()?.push(delivery, bytes)
    if (this.credit <= 0) this.#hadCredit = false
    this.#context.connection._register()
  }

  async close(error?: LinkError): Promise<void> {
    await this.end.close(error)
  }

  attached(attach: RheaAttach): void {
    if (hasTerminus(attach)) this.end.opened()
  }

  flow({ delivery_count, link_credit, drain }: RheaFlow): void {
    const link = this.#link
    link.credit = Math.max(
      0,
      ((delivery_count ?? this.#context.firstId) + (link_credit ?? 0) - link.delivery_count) | 0
    )
    this.#draining = drain === true
    this.wake()
    if (!this.#draining) return
    this.#asked = true
    if (!this.#asking) void this.#drain()
  }

  /** Answers that nothing more comes, when the owner says so. */
  async #drain(): Promise<void> {
    const { onDrain } = this.#options
    if (onDrain !== undefined) {
      this.#asking = true
      // credit may come with another question while one is answered
      while (this.#asked && this.#draining && this.end.open) {
        this.#asked = false
        await onDrain().catch(() => undefined)
      }
      this.#asking = false
    }
    if (this.#draining && this.end.open) {
      const link = this.#link
      const left = Math.max(0, link.credit - ((this.#handed - link.delivery_count) >>> 0))
      this.#handed = (this.#handed + left) >>> 0
      link.delivery_count = (link.delivery_count + left) >>> 0
      link.credit -= left
      link.issue_flow = true
      this.#context.connection._register()
    }
    this.wake()
  }

  wake(): void {
    const has = this.credit > 0
    const rose = has && !this.#hadCredit
    this.#hadCredit = has
    if (rose) this.#options.onCredit?.()
  }

  #told(outcome: Outcome, onOutcome: ((outcome: Outcome) => void) | undefined): void {
    if (this.end.open) onOutcome?.(outcome)
  }
}
