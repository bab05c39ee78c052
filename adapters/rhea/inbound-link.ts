// A link on which a client sends to us.
// Rule: the client sends no more than the credit it has and no message longer than announced, or the link ends with the error that
// AMQP names for it; every delivery that came unsettled gets exactly one outcome, unless its link ends first.

import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { LinkClosed, LinkError, Outcome } from '../../plugin/host.js'
import { EncodedMessage } from './message.js'
import { outcomeState } from './outcomes.js'
import { tellState } from './dispositions.js'
import { incomingDelivery } from './rhea.js'
import type { RheaFlow, RheaFrame, RheaIncomingDelivery, RheaLink, RheaTransfer } from './rhea.js'
import { attachRequest, echoSource, echoTerminus, LinkEnd } from './server-link.js'
import type { AttachRequest, LinkContext, OnClosed } from './server-link.js'
import type { UnsettledDeliveries } from './unsettled-deliveries.js'

const TRANSFER_LIMIT = 'amqp:link:transfer-limit-exceeded'
const SECOND = 1

/** Names an unsettled delivery to settle(). */
export type InboundDelivery = RheaIncomingDelivery

export interface InboundHandlers {
  /** `delivery` is undefined where the client sent it settled. */
  readonly onMessage: (message: EncodedMessage, delivery: InboundDelivery | undefined) => void
  /** A delivery used credit and came to nothing. */
  readonly onAborted: () => void
  readonly onClosed: OnClosed
}

export class InboundLink {
  readonly request: AttachRequest
  /** the client named no target at all, not even one without an address */
  readonly targetless: boolean
  readonly #context: LinkContext
  readonly #unsettled: UnsettledDeliveries
  readonly #end: LinkEnd
  readonly #link: RheaLink
  #handlers: InboundHandlers | undefined
  #partial: RheaIncomingDelivery | undefined
  #drains: ((usedUp: boolean) => void)[] = []
  #usedUp = true

  constructor(context: LinkContext, unsettled: UnsettledDeliveries, link: RheaLink, name: string) {
    this.#context = context
    this.#unsettled = unsettled
    this.#link = link
    this.#end = new LinkEnd(context, link)
    this.request = attachRequest(name, this.#end.target)
    this.targetless = this.#end.target === undefined
    link._get_drain = () => this.#drains.length > 0
    link.delivery_count = this.#end.remote.initial_delivery_count ?? 0 // rhea starts from 0 whatever the sender says
  }

  /** Credit that the client has not used. */
  get credit(): number {
    return this.#link.credit
  }

  get closed(): boolean {
    return this.#end.closed
  }

  /** How the client ended the link; undefined: it did not. */
  get closedByClient(): LinkClosed | undefined {
    return this.#end.byClient
  }

  accept(handlers: InboundHandlers): void {
    if (this.#end.closed) return
    this.#handlers = handlers
    const { remote, source, target } = this.#end
    const { attach } = this.#link.local
    this.#link.set_target(echoTerminus(target))
    if (source !== undefined) this.#link.set_source(echoSource(source))
    attach.snd_settle_mode = remote.snd_settle_mode ?? 2
    attach.rcv_settle_mode = remote.rcv_settle_mode ?? 0
    attach.max_message_size = this.#context.maxMessageSize
    this.#end.answer()
  }

  addCredit(credit: number): void {
    if (!this.#end.closed) this.#link.flow(credit)
  }

  /** Asks the client to send what it has, and takes the rest of its credit back; resolves with true when none was left. */
  drain(): Promise<boolean> {
    if (this.#end.closed) return Promise.resolve(false)
    if (this.#link.credit === 0 && this.#partial === undefined) return Promise.resolve(true)
    this.#link.issue_flow = true
    this.#context.connection._register()
    return new Promise(resolve => this.#drains.push(resolve))
  }

  /** The client has used up its credit: for messages, which may be on their way, or for nothing. */
  drained({ delivery_count, link_credit }: RheaFlow): void {
    const [count, credit] = [delivery_count ?? 0, link_credit ?? 0]
    const link = this.#link
    // an answer to a former drain does not know of credit that came after it
    if (this.#drains.length === 0 || (count + credit - link.delivery_count - link.credit) | 0) return
    this.#usedUp = credit === link.credit
    link.delivery_count = count
    link.credit = credit
    this.#endDrain()
  }

  /** Refuses the attach, or ends the link. */
  close(error?: LinkError): void {
    if (this.#end.closed) return
    this.#dropUnsettled()
    this.#end.detach(error)
  }

  /** A second call, and one after the link's end, does nothing. */
  settle(delivery: InboundDelivery, outcome: Outcome): void {
    if (delivery.settled || delivery.state !== undefined || this.#end.closed) return
    this.#context.held.removeUnsettled(delivery.size)
    const settled = this.#link.local.attach.rcv_settle_mode !== SECOND
    if (settled) this.#unsettled.remove(delivery)
    tellState(this.#context.session, delivery, settled, outcomeState(outcome))
  }

  /** The client's end of the link is gone; tells the owner. */
  ended(closed: LinkClosed): void {
    this.#dropUnsettled()
    if (this.#end.ended(closed)) this.#handlers?.onClosed(closed)
  }

  /** The client settled a delivery by itself. */
  remoteSettled(delivery: InboundDelivery): void {
    this.#unsettled.remove(delivery)
    if (delivery.settled) return
    if (delivery.state === undefined) this.#context.held.removeUnsettled(delivery.size)
    delivery.remote_settled = true
    delivery.settled = true
  }

  /** Takes one transfer frame. Throws AmqpError for what must end the session. */
  transfer({ performative, payload }: RheaFrame<RheaTransfer>): void {
    const delivery = this.#partial ?? this.#begin(performative)
    if (delivery.id !== (performative.delivery_id ?? delivery.id)) {
      throw new AmqpError('amqp:session:errant-link', `delivery ${delivery.id} is not complete`)
    }
    if (performative.settled === true) delivery.remote_settled = true
    if (!this.#end.closed && payload !== undefined && performative.aborted !== true)
      this.#collect(delivery, payload)
    if (performative.aborted === true) {
      this.#dropPartial()
      this.#forget(delivery)
      this.#handlers?.onAborted()
    } else if (performative.more !== true) {
      this.#partial = undefined
      if (this.#end.closed) this.#forget(delivery)
      else this.#complete(delivery)
    } else this.#partial = delivery
    this.#endDrain()
  }

  #begin({ delivery_id, delivery_tag, message_format }: RheaTransfer): RheaIncomingDelivery {
    const { incoming } = this.#context.session
    if (typeof delivery_id !== 'number' || delivery_id !== (incoming.next_delivery_id ?? delivery_id)) {
      throw new AmqpError('amqp:session:errant-link', `delivery ${delivery_id} is out of sequence`)
    }
    if (this.#unsettled.available() === 0) {
      throw new AmqpError(
        'amqp:session:window-violation',
        'more unsettled deliveries than the session can hold'
      )
    }
    incoming.next_delivery_id = (delivery_id + 1) >>> 0
    const delivery = incomingDelivery(delivery_id, this.#link, message_format)
    this.#unsettled.add(delivery)
    this.#partial = delivery
    if (this.#end.closed) delivery.settled = true
    else if (this.#link.credit <= 0) {
      this.#violated(
        TRANSFER_LIMIT,
        `delivery ${delivery_id}, tag ${tagText(delivery_tag)}, came without credit`
      )
    } else {
      this.#link.credit--
      this.#link.delivery_count = (this.#link.delivery_count + 1) >>> 0
    }
    return delivery
  }

  #collect(delivery: RheaIncomingDelivery, payload: Buffer): void {
    delivery.size += payload.length
    delivery.frames.push(payload)
    this.#context.held.addPartial(payload.length)
    const limit = this.#context.maxMessageSize
    if (delivery.size > limit) this.#violated(CONDITIONS.messageSize, `a message of more than ${limit} bytes`)
  }

  #complete(delivery: RheaIncomingDelivery): void {
    const { size, remote_settled } = delivery
    this.#context.held.removePartial(size)
    const message = this.#decode(delivery)
    delivery.frames = []
    if (message === undefined) return
    if (remote_settled) this.#forget(delivery)
    else this.#context.held.addUnsettled(size)
    this.#handlers?.onMessage(message, remote_settled ? undefined : delivery)
  }

  #endDrain(): void {
    if (this.#drains.length === 0 || this.#partial !== undefined) return
    if (this.#link.credit > 0 && !this.#end.closed) return
    const usedUp = this.#usedUp && !this.#end.closed
    this.#usedUp = true
    for (const done of this.#drains.splice(0)) done(usedUp)
  }

  /** Undefined for bytes that are no message: they are rejected, or end the link if the client would not know of it. */
  #decode(delivery: RheaIncomingDelivery): EncodedMessage | undefined {
    const { format, frames, remote_settled } = delivery
    try {
      if (typeof format === 'number' && format !== 0) {
        throw new AmqpError(CONDITIONS.notImplemented, `message format ${format}`)
      }
      return new EncodedMessage(ownBytes(frames))
    } catch (error) {
      if (!(error instanceof AmqpError)) throw error
      const { condition, description } = error
      if (remote_settled) {
        this.#forget(delivery)
        this.#violated(condition, description)
      } else {
        this.#context.held.addUnsettled(delivery.size)
        this.settle(delivery, { type: 'rejected', condition, description })
        this.#handlers?.onAborted()
      }
      return undefined
    }
  }

  /** Ends the link for what the client did, and tells the owner. */
  #violated(condition: string, description: string): void {
    this.#dropUnsettled()
    this.#end.detach({ condition, description })
    this.#handlers?.onClosed({ cause: 'error', error: { condition, description } })
  }

  /** Frees the bytes of a delivery that did not complete. */
  #dropPartial(): void {
    const delivery = this.#partial
    if (delivery === undefined) return
    this.#context.held.removePartial(delivery.size)
    delivery.size = 0
    delivery.frames = []
    delivery.settled = true
  }

  /** What the client is not told about any more is forgotten. */
  #dropUnsettled(): void {
    this.#dropPartial()
    for (const done of this.#drains.splice(0)) done(false)
    for (const delivery of this.#unsettled.of(this.#link)) this.remoteSettled(delivery)
  }

  /** Forgets a delivery without a word to the client. */
  #forget(delivery: RheaIncomingDelivery): void {
    this.#unsettled.remove(delivery)
    delivery.remote_settled = true
    this.#context.session.incoming.update(delivery, true, undefined)
    if (this.#partial === delivery) this.#partial = undefined
  }
}

/** The payload in memory of its own where the socket's chunk is much larger, so that a kept message does not keep that. */
function ownBytes(frames: readonly Buffer[]): Buffer {
  const [first] = frames
  if (first === undefined) return Buffer.alloc(0)
  if (frames.length > 1) return Buffer.concat(frames)
  return first.length * 2 < first.buffer.byteLength ? Buffer.from(first) : first
}

function tagText(tag: RheaTransfer['delivery_tag']): string {
  return tag?.toString('hex') ?? 'none'
}
