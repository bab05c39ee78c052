// A session that we began: one for each logical connection, so that a link that stalls stalls no other's.
// Rule: rhea's queues of transfers are not used: ours lose no place to a delivery that is never settled, wrap at 2^32, and hand messages
// on as the bytes that came. Links are told once how they ended, and not at all where this side ended them.

import { randomUUID } from 'node:crypto'
import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type {
  AmqpConnection,
  LinkError,
  Message,
  Receiver,
  ReceiverOptions,
  Sender
} from '../../plugin/host.js'
import { attachLink, type AttachOptions, type ClientLink } from './client-link.js'
import { ClientReceiver } from './client-receiver.js'
import { ClientSender, type ClientSenderOptions } from './client-sender.js'
import { IncomingDeliveries } from './incoming-deliveries.js'
import { readError, readOutcome } from './outcomes.js'
import { OutgoingTransfers } from './outgoing-transfers.js'
import type {
  RheaAttach,
  RheaConnection,
  RheaDetach,
  RheaDisposition,
  RheaFlow,
  RheaFrame,
  RheaLink,
  RheaSession
} from './rhea.js'

/** What a host of ours says of a delivery in its tag. */
export type ReadDelivery = (
  tag: Buffer,
  message: Message
) => { readonly id: string | undefined; readonly deliveryCount: number }

export interface SessionContext {
  readonly connection: RheaConnection
  readonly session: RheaSession
  readonly write: (bytes: Buffer) => void
  readonly attachTimeoutMs: number
  readonly readDelivery: ReadDelivery | undefined
  /** of transfers and deliveries, and of each sender's count */
  readonly firstId: number
}

export interface SessionOwner {
  readonly onEnded: () => void
  /** Cuts the connection under the session. */
  readonly cut: () => void
  readonly error: () => LinkError | undefined
}

/** What a receiver may ask for beyond the port. */
export interface ClientReceiverOptions extends ReceiverOptions {
  /** of the source */
  readonly capabilities?: readonly string[] | undefined
  /** only messages for which this holds, in the syntax of JMS */
  readonly selector?: string | undefined
}

export class ClientSession implements AmqpConnection {
  readonly #context: SessionContext
  readonly #session: RheaSession
  readonly #owner: SessionOwner
  readonly #links = new Map<RheaLink, ClientLink>()
  readonly #incoming: IncomingDeliveries
  #transfers: OutgoingTransfers | undefined
  #phase: 'open' | 'closing' | 'ended' = 'open'
  readonly #ended: Promise<void>
  #onEnded: () => void = () => undefined
  readonly #begun: Promise<void>
  #onBegun: () => void = () => undefined

  constructor(context: SessionContext, owner: SessionOwner) {
    this.#context = context
    this.#session = context.session
    this.#owner = owner
    this.#incoming = new IncomingDeliveries(context.session)
    context.session.local.begin.next_outgoing_id = context.firstId
    this.#ended = new Promise(resolve => (this.#onEnded = resolve))
    this.#begun = new Promise(resolve => (this.#onBegun = resolve))
    this.#guard()
  }

  async openSender(options: ClientSenderOptions): Promise<Sender> {
    const { address, kind, name = `sender-${randomUUID()}` } = options
    const capabilities = kind === undefined ? [] : [kind]
    const attach = { name, address, dynamic: false, capabilities, distributionMode: undefined }
    const link = this.#create('sender', attach)
    const sender = new ClientSender(link, this.#context, () => this.#transfers, options)
    await this.#open(link, sender)
    return sender
  }

  async openReceiver(options: ClientReceiverOptions): Promise<Receiver> {
    const { address, kind, exclusive, browse, selector, name = `receiver-${randomUUID()}` } = options
    const capabilities = [
      ...(kind === undefined ? [] : [kind]),
      ...(exclusive === true ? ['exclusive'] : []),
      ...(options.capabilities ?? [])
    ]
    const distributionMode = browse === true ? 'copy' : undefined
    const dynamic = address === undefined
    const link = this.#create('receiver', {
      name,
      address,
      dynamic,
      capabilities,
      distributionMode,
      selector
    })
    const receiver = new ClientReceiver(link, this.#context, this.#incoming, options)
    await this.#open(link, receiver)
    return receiver
  }

  /** Ends the session; its links say nothing. */
  async close(): Promise<void> {
    if (this.#phase === 'open') {
      this.#phase = 'closing'
      const links = [...this.#links.values()]
      // a broker may answer the end before it has let go of what the session consumes
      const receivers = links.filter(link => link instanceof ClientReceiver && link.end.open)
      const detached = Promise.all(receivers.map(({ end }) => end.close(undefined)))
      for (const link of links) link.end.silence()
      await detached
      await this.#begun // rhea begins again what ends before its begin is answered
      this.#context.connection._process() // what was sent goes out first
      this.#session.close()
    }
    await this.#ended
  }

  /** Resolves when the session has ended, whoever ended it. */
  get ended(): Promise<void> {
    return this.#ended
  }

  /** Vanishes without a word, and with it whatever else is on its connection. */
  lose(): void {
    this.#owner.cut()
  }

  /** The connection has gone. */
  lost(error: LinkError | undefined): void {
    this.#end(error)
  }

  /** Places may have come free. */
  wake(): void {
    for (const link of this.#links.values()) link.wake()
  }

  #create(role: 'sender' | 'receiver', attach: AttachOptions): RheaLink {
    if (this.#phase !== 'open') {
      const { condition, description } = this.#owner.error() ?? {
        condition: CONDITIONS.connectionForced,
        description: 'the connection is closed'
      }
      throw new AmqpError(condition, description)
    }
    return attachLink(this.#session, role, attach)
  }

  async #open(link: RheaLink, client: ClientLink): Promise<void> {
    this.#links.set(link, client)
    this.#context.connection._register()
    await client.end.attached(this.#context.attachTimeoutMs)
  }

  #guard(): void {
    const session = this.#session
    const { on_begin } = session
    session.on_begin = frame => {
      on_begin.call(session, frame)
      this.#transfers = new OutgoingTransfers({
        channel: session.local.channel,
        maxFrameSize: this.#context.connection.remote.open?.max_frame_size ?? undefined,
        window: frame.performative.incoming_window ?? 0,
        firstId: this.#context.firstId,
        write: this.#context.write
      })
      session.outgoing = this.#transfers
      this.#onBegun()
    }
    session.on_attach = frame => this.#attach(frame)
    session.on_flow = frame => this.#flow(frame.performative)
    session.on_transfer = frame => {
      const link = this.#link(frame.performative.handle)
      const client = this.#links.get(link)
      if (client instanceof ClientReceiver) this.#incoming.transfer(frame, link, client)
      // rhea widens the window only when a delivery is settled, and a long one may be longer than the window
      if (frame.performative.more === true) this.#context.connection._register()
    }
    session.on_disposition = frame => this.#disposition(frame.performative)
    session.on_detach = frame => this.#detach(frame.performative)
    session.on_end = frame => {
      session.state.remote_closed()
      this.#end(readError(frame.performative.error))
      session.close()
      this.#context.connection._process()
      this.#context.connection.remove_session(session)
    }
  }

  #attach(frame: RheaFrame<RheaAttach>): void {
    const { name, role, handle } = frame.performative
    // the host's role is the other side of ours; rhea would find links by their name alone
    const link = this.#session.links[role ? `<${name}` : `>${name}`]
    if (link === undefined)
      throw new AmqpError(CONDITIONS.notAllowed, `an attach of ${name}, which is not ours`)
    this.#session.remote.handles[handle] = link
    link.on_attach(frame)
    link.remote.handle = handle // rhea looks for it in the wrong place, and never frees it
    this.#links.get(link)?.attached(frame.performative)
  }

  #flow(fields: RheaFlow): void {
    this.#transfers?.flow(fields.next_incoming_id, fields.incoming_window)
    if (typeof fields.handle === 'number') this.#links.get(this.#link(fields.handle))?.flow(fields)
    if (fields.echo === true) this.#session._write_flow()
    this.#context.connection._register()
  }

  #disposition(fields: RheaDisposition): void {
    const { role, first, settled, state } = fields
    const last = fields.last ?? first
    if (!role) return this.#incoming.remoteSettled(first, last, settled === true)
    const transfers = this.#transfers
    for (const [id, delivery] of [...(transfers?.range(first, last) ?? [])]) {
      const outcome = readOutcome(state) ?? (settled === true ? { type: 'released' as const } : undefined)
      if (outcome === undefined) continue
      transfers?.settle(id, settled !== true)
      delivery.onOutcome(outcome)
    }
    this.#context.connection._register()
  }

  #detach({ handle, error }: RheaDetach): void {
    const link = this.#link(handle)
    link.state.remote_closed()
    this.#forget(link)
    const client = this.#links.get(link)
    this.#links.delete(link)
    link.close()
    this.#context.connection._process()
    this.#session.remove_link(link)
    client?.end.detached(readError(error))
  }

  #link(handle: number): RheaLink {
    const link = this.#session.remote.handles[handle]
    if (link === undefined)
      throw new AmqpError('amqp:session:unattached-handle', `no link has the handle ${handle}`)
    return link
  }

  #forget(link: RheaLink): void {
    this.#transfers?.drop(link)
    this.#incoming.drop(link)
  }

  #end(error: LinkError | undefined): void {
    if (this.#phase === 'ended') return
    this.#phase = 'ended'
    this.#onBegun()
    this.#owner.onEnded()
    const links = [...this.#links]
    this.#links.clear()
    for (const [link] of links) this.#forget(link)
    for (const [, client] of links) client.end.lost(error)
    this.#onEnded()
  }
}
