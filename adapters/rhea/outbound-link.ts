// A link on which a client receives from us.
// Rule: nothing is handed over without a reservation, which stands for the client's credit and, when it was made, a place among the
// session's unsettled deliveries and room in its socket; an idle link's reservations keep no place from others. Credit that the client takes back is gone for what was not handed over yet.

import type { LinkClosed, LinkError, Outcome } from '../../plugin/host.js'
import { readOutcome } from './outcomes.js'
import type { OutgoingTransfers } from './outgoing-transfers.js'
import type { RheaDisposition, RheaFlow, RheaLink } from './rhea.js'
import { attachRequest, echoSource, echoTerminus, LinkEnd } from './server-link.js'
import type { AttachRequest, LinkContext, OnClosed } from './server-link.js'

const SETTLED = 1

export interface OutboundHandlers {
  /** More may be reserved than before, or less, or `draining` changed. */
  readonly onFlow: () => void
  readonly onClosed: OnClosed
}

/** What the links of a session share. */
export interface SessionOutput {
  readonly transfers: OutgoingTransfers
  /** links that wanted more than there was */
  readonly starving: Set<OutboundLink>
}

export class OutboundLink {
  readonly request: AttachRequest
  /** the client wants deliveries settled */
  readonly presettled: boolean
  readonly #context: LinkContext
  readonly #output: SessionOutput
  readonly #end: LinkEnd
  readonly #link: RheaLink
  #handlers: OutboundHandlers | undefined
  /** deliveries handed over since the start, and credit drained: delivery-count once all are written */
  #sent: number
  /** credit that is left */
  #credit = 0
  #reserved = 0
  #draining = false

  constructor(context: LinkContext, output: SessionOutput, link: RheaLink, name: string) {
    this.#context = context
    this.#output = output
    this.#link = link
    this.#end = new LinkEnd(context, link)
    this.request = attachRequest(name, this.#end.source)
    this.presettled = this.#end.remote.snd_settle_mode === SETTLED
    const first = context.firstId
    this.#sent = link.delivery_count = link.local.attach.initial_delivery_count = first
    link._get_drain = () => this.#draining // rhea forgets it where no credit is left
  }

  /** Credit that the client has given and we have not used. */
  get credit(): number {
    return this.#credit
  }

  get reserved(): number {
    return this.#reserved
  }

  /** The client does not read as fast as we write. */
  get congested(): boolean {
    return this.#context.congested()
  }

  /** Bytes that the client takes in one message. */
  get maxMessageSize(): number {
    const limit = this.#end.remote.max_message_size
    return typeof limit === 'number' && limit > 0 ? limit : Infinity
  }

  /** The client waits until all there is has come. */
  get draining(): boolean {
    return this.#draining
  }

  get closed(): boolean {
    return this.#end.closed
  }

  /** How the client ended the link; undefined: it did not. */
  get closedByClient(): LinkClosed | undefined {
    return this.#end.byClient
  }

  /** `address`: of a source that we made up. */
  accept(handlers: OutboundHandlers, address?: string): void {
    if (this.#end.closed) return
    this.#handlers = handlers
    const { remote, source, target } = this.#end
    const { attach } = this.#link.local
    this.#link.set_source(echoSource(source, address))
    if (target !== undefined) this.#link.set_target(echoTerminus(target))
    attach.snd_settle_mode = this.presettled ? SETTLED : (remote.snd_settle_mode ?? 2)
    attach.rcv_settle_mode = remote.rcv_settle_mode ?? 0
    this.#end.answer()
  }

  close(error?: LinkError): void {
    if (this.#end.closed) return
    this.#context.connection._process() // what was sent goes out first
    this.#dropUnsettled()
    this.#end.detach(error)
  }

  /** Reserves up to `wanted` sends; how many it got. When there may be more, onFlow runs. */
  reserve(wanted: number): number {
    if (this.#end.closed) return 0
    const places = this.#output.transfers.places
    const asked = Math.min(wanted, this.#credit - this.#reserved)
    const got = Math.max(0, this.#context.congested() ? 0 : Math.min(asked, places))
    if (got < asked) this.#output.starving.add(this)
    this.#reserved += got
    return got
  }

  /** Gives reserved sends back. */
  unreserve(count = this.#reserved): void {
    this.#reserved -= count
  }

  /** Sends on a reservation; false: there is none, or the client has taken its credit back. */
  send(bytes: Buffer, onOutcome: (outcome: Outcome) => void, tag?: Buffer): boolean {
    if (this.#end.closed || this.#reserved === 0) return false
    this.unreserve(1)
    if (this.#credit === 0) return false
    this.#credit--
    this.#sent = (this.#sent + 1) >>> 0
    this.#output.transfers.push({ link: this.#link, settled: this.presettled, onOutcome, tag }, bytes)
    this.#context.connection._register()
    return true
  }

  /** Answers a drain: what is left of the credit is used up. */
  drained(): void {
    if (!this.#draining || this.#end.closed) return
    this.#link.delivery_count = (this.#link.delivery_count + this.#credit) >>> 0
    this.#link.credit -= this.#credit
    this.#sent = (this.#sent + this.#credit) >>> 0
    this.#credit = 0
    this.#writeFlow()
  }

  /** Places came free, or the client's socket did. */
  wake(): void {
    if (!this.#end.closed) this.#handlers?.onFlow()
  }

  /** Takes the link's part of a flow frame. */
  flow({ delivery_count, link_credit, drain, echo }: RheaFlow): void {
    // what is on its way to the client it has not counted; a count ahead of ours leaves no credit
    const unseen = (this.#sent - (delivery_count ?? this.#context.firstId)) >>> 0
    const pending = (this.#sent - this.#link.delivery_count) >>> 0
    this.#credit = Math.max(0, (link_credit ?? 0) - unseen)
    this.#link.credit = this.#credit + pending // what is handed over is as good as sent
    this.#draining = drain === true
    if (echo === true) this.#writeFlow()
    if (this.#end.closed) return
    if (this.#draining && this.#credit === 0) this.drained()
    this.#handlers?.onFlow()
  }

  /** What the client says of one of its deliveries; undefined: nothing that ends it. */
  outcomeOf({ settled, state }: RheaDisposition): Outcome | undefined {
    return readOutcome(state) ?? (settled === true ? this.#defaultOutcome() : undefined)
  }

  /** The client's end of the link is gone; tells the owner. */
  ended(closed: LinkClosed): void {
    this.#dropUnsettled()
    if (this.#end.ended(closed)) this.#handlers?.onClosed(closed)
  }

  /** Settled without a state: what the client named for this, else tried and failed, so that a loop shows in delivery-count. */
  #defaultOutcome(): Outcome {
    return (
      readOutcome(this.#end.source?.default_outcome) ?? {
        type: 'modified',
        deliveryFailed: true,
        undeliverableHere: false
      }
    )
  }

  #dropUnsettled(): void {
    this.unreserve()
    this.#output.starving.delete(this)
    this.#output.transfers.drop(this.#link)
  }

  #writeFlow(): void {
    this.#link.issue_flow = true
    this.#context.connection._register()
  }
}
