// A session that a client began, in place of rhea's handling of what comes on it.
// Rule: what a client sends is checked before rhea's state changes, and a link, its handle and its name are gone when its detach is
// answered, so that they can be used again in the next frame.

import { AmqpError } from '../../plugin/errors.js'
import type { LinkClosed } from '../../plugin/host.js'
import { InboundLink } from './inbound-link.js'
import { readError } from './outcomes.js'
import { OutboundLink } from './outbound-link.js'
import type { SessionOutput } from './outbound-link.js'
import { OutgoingTransfers } from './outgoing-transfers.js'
import type {
  RheaAttach,
  RheaDetach,
  RheaDisposition,
  RheaEnd,
  RheaFlow,
  RheaFrame,
  RheaLink,
  RheaSession,
  RheaTransfer,
  RheaTyped
} from './rhea.js'
import type { LinkContext } from './server-link.js'
import { UnsettledDeliveries } from './unsettled-deliveries.js'

export interface SessionOwner {
  /** throws AmqpError where the client may have no more links */
  readonly addLink: () => void
  readonly removeLink: () => void
  readonly onInbound: (link: InboundLink) => void
  readonly onOutbound: (link: OutboundLink) => void
  /** places in the ring will be free when rhea has worked through its queue */
  readonly onPlaces: (session: ServerSession) => void
  readonly onEnded: (session: ServerSession) => void
}

type ServerLink = InboundLink | OutboundLink

/** Unsettled deliveries of a client; the next one ends its connection. */
const CAPACITY = 2048
const TERMINI = { source: 0x28, target: 0x29 } as const

export class ServerSession {
  readonly #session: RheaSession
  readonly #context: LinkContext
  readonly #owner: SessionOwner
  readonly #links = new Map<RheaLink, ServerLink>()
  readonly #output: SessionOutput
  readonly #unsettled: UnsettledDeliveries
  readonly #handleMax: number

  constructor(context: LinkContext, owner: SessionOwner, handleMax: number) {
    this.#context = context
    this.#session = context.session
    this.#owner = owner
    this.#handleMax = handleMax
    this.#session.local.begin.handle_max = handleMax
    this.#session.local.begin.next_outgoing_id = context.firstId
    this.#output = { transfers: this.#makeTransfers(), starving: new Set() }
    this.#session.outgoing = this.#output.transfers
    this.#unsettled = new UnsettledDeliveries(this.#session, CAPACITY)
    this.#session.on_attach = frame => this.#attach(frame)
    this.#session.on_flow = frame => this.#flow(frame.performative)
    this.#session.on_transfer = frame => this.#transfer(frame)
    this.#session.on_disposition = frame => this.#disposition(frame.performative)
    this.#session.on_detach = frame => this.#detach(frame.performative)
    this.#session.on_end = frame => this.#ended(frame.performative)
  }

  #makeTransfers(): OutgoingTransfers {
    const { local, remote } = this.#session
    const { connection, firstId, write } = this.#context
    const maxFrameSize = connection.remote.open?.max_frame_size ?? undefined
    return new OutgoingTransfers({
      channel: local.channel,
      maxFrameSize,
      window: remote.begin.incoming_window ?? 0,
      firstId,
      write
    })
  }

  /** Lets links that wait for places, or for the client's socket, go on. */
  wake(): void {
    const links = [...this.#output.starving]
    this.#output.starving.clear()
    for (const link of links) link.wake()
  }

  /** The session is gone; tells the owners of its links. */
  end(closed: LinkClosed): void {
    for (const link of this.#links.values()) {
      link.ended(closed)
      this.#owner.removeLink()
    }
    this.#links.clear()
  }

  #attach(frame: RheaFrame<RheaAttach>): void {
    const { name, handle, role, source, target } = frame.performative
    if (typeof name !== 'string' || typeof handle !== 'number' || typeof role !== 'boolean') {
      throw new AmqpError('amqp:decode-error', 'an attach without name, handle or role')
    }
    if (handle > this.#handleMax)
      throw new AmqpError('amqp:connection:framing-error', `handle ${handle} is over handle-max`)
    if (this.#session.remote.handles[handle] !== undefined) {
      throw new AmqpError('amqp:session:handle-in-use', `handle ${handle} is in use`)
    }
    // rhea keys links by name alone; a sender and a receiver may share one
    const key = role ? `>${name}` : `<${name}`
    if (this.#session.links[key] !== undefined) {
      throw new AmqpError('amqp:not-allowed', `a link named ${name} is attached to this session`)
    }
    this.#owner.addLink()
    const strange = [isTerminus(source, 'source'), isTerminus(target, 'target')].includes(false)
    if (strange) frame.performative.source = frame.performative.target = null
    const link = role ? this.#session.create_sender(key) : this.#session.create_receiver(key)
    link.local.attach.name = name
    this.#session.remote.handles[handle] = link
    link.on_attach(frame)
    link.remote.attach = frame.performative
    link.remote.handle = handle // rhea looks for it in the wrong place, and never frees it
    this.#open(link, role, name, strange)
  }

  #open(link: RheaLink, role: boolean, name: string, strange: boolean): void {
    const server = role
      ? new OutboundLink(this.#context, this.#output, link, name)
      : new InboundLink(this.#context, this.#unsettled, link, name)
    this.#links.set(link, server)
    if (strange) {
      server.close({
        condition: 'amqp:not-implemented',
        description: 'only plain sources and targets are served'
      })
    } else if (server instanceof OutboundLink) this.#owner.onOutbound(server)
    else this.#owner.onInbound(server)
  }

  #flow(fields: RheaFlow): void {
    this.#output.transfers.flow(fields.next_incoming_id, fields.incoming_window)
    this.#owner.onPlaces(this)
    const { handle } = fields
    if (typeof handle === 'number') {
      const server = this.#links.get(this.#link(handle))
      if (server instanceof OutboundLink) server.flow(fields)
      else if (fields.drain === true) server?.drained(fields)
      else if (fields.echo === true) this.#link(handle).issue_flow = true
    } else if (fields.echo === true) this.#session._write_flow()
    this.#context.connection._register()
  }

  #transfer(frame: RheaFrame<RheaTransfer>): void {
    const server = this.#links.get(this.#link(frame.performative.handle))
    if (!(server instanceof InboundLink))
      throw new AmqpError('amqp:not-allowed', 'a transfer on a link that receives')
    const { incoming } = this.#session
    incoming.next_transfer_id = (incoming.next_transfer_id + 1) >>> 0
    if (incoming.next_transfer_id === 0) this.#session._write_flow() // rhea's window does not see the wrap
    server.transfer(frame)
    // rhea widens the window only when a delivery is settled, and a long one may be longer than the window
    if (frame.performative.more === true) this.#context.connection._register()
  }

  #disposition(fields: RheaDisposition): void {
    const { role, first, settled } = fields
    const last = fields.last ?? first
    if (typeof first !== 'number' || typeof last !== 'number') {
      throw new AmqpError('amqp:decode-error', 'a disposition without delivery ids')
    }
    if (role) {
      for (const [id, delivery] of this.#output.transfers.range(first, last)) {
        const server = this.#links.get(delivery.link)
        const outcome = server instanceof OutboundLink ? server.outcomeOf(fields) : undefined
        if (outcome === undefined) continue
        this.#output.transfers.settle(id, settled !== true)
        delivery.onOutcome(outcome)
      }
      this.#owner.onPlaces(this)
    } else if (settled === true) {
      for (const delivery of this.#unsettled.range(first, last)) {
        const server = this.#links.get(delivery.link)
        if (server instanceof InboundLink) server.remoteSettled(delivery)
      }
    }
    this.#context.connection._register()
  }

  #detach({ handle, closed, error }: RheaDetach): void {
    const link = this.#link(handle)
    const cause = readError(error)
    link.state.remote_closed()
    this.#links.get(link)?.ended(cause === undefined ? { cause: 'clean' } : { cause: 'error', error: cause })
    if (this.#links.delete(link)) this.#owner.removeLink()
    if (closed === true) link.close()
    else link.detach()
    this.#context.connection._process() // outcomes that are known, then the answer
    this.#session.remove_link(link)
    this.#owner.onPlaces(this)
  }

  #ended({ error }: RheaEnd): void {
    if (!this.#session.state.remote_closed()) throw new AmqpError('amqp:not-allowed', 'a session ended twice')
    const cause = readError(error)
    this.end(cause === undefined ? { cause: 'clean' } : { cause: 'error', error: cause })
    this.#session.close()
    this.#context.connection._process()
    this.#context.connection.remove_session(this.#session)
    this.#owner.onEnded(this)
  }

  #link(handle: number): RheaLink {
    const link = this.#session.remote.handles[handle]
    if (link === undefined)
      throw new AmqpError('amqp:session:unattached-handle', `no link has the handle ${handle}`)
    return link
  }
}

/** False for what is there and is no source or target of AMQP's messaging: a transaction coordinator, say. */
function isTerminus(value: unknown, kind: keyof typeof TERMINI): boolean {
  const descriptor = (value as RheaTyped | null | undefined)?.descriptor?.value
  const typed = value as RheaTyped | null | undefined
  if (typed === null || typed === undefined || typed.value === null) return true
  return descriptor === TERMINI[kind] || descriptor === `amqp:${kind}:list`
}
