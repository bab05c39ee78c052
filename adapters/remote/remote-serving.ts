// An address that we serve for clients of a broker in another process.
// Rule: a link of a client is a link of ours to the broker, with the same credit, outcomes and end. When our connection goes the links
// are orphaned and another process may serve the address, so ours does not come back by itself: its server is told.

import { AmqpError } from '../../plugin/errors.js'
import type {
  AmqpConnection,
  Closeable,
  Delivery,
  LinkClosed,
  LinkError,
  Receiver,
  ServedLink
} from '../../plugin/host.js'
import {
  type CAPABILITY,
  linkAddress,
  readAnnouncement,
  type LinkAnnouncement
} from '../embedded/management-protocol.js'
import { EmbeddedPrincipal } from '../embedded/users.js'
import type { ClientSession } from '../rhea/client-session.js'
import { LINK_LOST } from '../rhea/serving/link-lost.js'

type Handlers = Parameters<ServedLink['accept']>[0]

/** A client's link that the broker told us of. */
export interface Forwarded {
  /** Shows it to its server. */
  offer(): void
  /** The address is not served any more; the broker tells the client. */
  silence(): void
  /** We do not serve the address any more. */
  orphan(): void
}

export interface ServingOptions {
  readonly address: string
  readonly capability: (typeof CAPABILITY)['serve' | 'serveReaders']
  /** A link that the broker tells us of. */
  readonly meet: (offer: Delivery, session: ClientSession, onEnd: () => void) => Forwarded
  /** once, and not after close() */
  readonly onLost: (() => void) | undefined
  readonly connect: () => Promise<ClientSession>
}

/** Links that we may be told of at once. */
const OFFERS = 500

export class RemoteServing implements Closeable {
  readonly #options: ServingOptions
  readonly #links = new Set<Forwarded>()
  #announcements: Receiver | undefined
  #session: ClientSession | undefined
  #closed = false

  private constructor(options: ServingOptions) {
    this.#options = options
  }

  /** Rejects `amqp:resource-locked` while another serves the address. */
  static async open(options: ServingOptions): Promise<RemoteServing> {
    const serving = new RemoteServing(options)
    await serving.#attach()
    return serving
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const link of this.#links) link.silence()
    await this.#announcements?.close()
    await this.#session?.close()
  }

  async #attach(): Promise<void> {
    const { address, capability, connect } = this.#options
    const session = await connect()
    this.#session = session
    try {
      this.#announcements = await session.openReceiver({
        address,
        window: OFFERS,
        capabilities: [capability],
        onDelivery: delivery => this.#offered(delivery, session),
        onClosed: () => this.#lost()
      })
    } catch (error) {
      await session.close()
      throw error
    }
  }

  #offered(delivery: Delivery, session: ClientSession): void {
    const link = this.#options.meet(delivery, session, () => this.#links.delete(link))
    this.#links.add(link)
    link.offer()
  }

  #lost(): void {
    if (this.#closed) return
    this.#closed = true
    for (const link of [...this.#links]) link.orphan()
    this.#options.onLost?.()
    void this.#session?.close()
  }
}

/** A client's link, as its server meets it. */
export class ForwardedLink implements ServedLink, Forwarded {
  readonly name: string
  readonly address: string
  readonly user: ServedLink['user']
  readonly #announcement: LinkAnnouncement
  readonly #offer: Delivery
  readonly #onLink: (link: ServedLink) => void
  readonly #connection: AmqpConnection
  readonly #onEnd: () => void
  #handlers: Handlers | undefined
  #receiver: Receiver | undefined
  /** how this side ended it */
  #end: { readonly error: LinkError | undefined } | undefined

  constructor(
    offer: Delivery,
    onLink: (link: ServedLink) => void,
    connection: AmqpConnection,
    onEnd: () => void
  ) {
    this.#announcement = readAnnouncement(offer.message)
    const { name, address, user } = this.#announcement
    this.name = name
    this.address = address
    this.user = user === 'service' ? user : new EmbeddedPrincipal(user)
    this.#offer = offer
    this.#onLink = onLink
    this.#connection = connection
    this.#onEnd = onEnd
  }

  offer(): void {
    this.#onLink(this)
    if (this.#handlers === undefined) this.close()
  }

  accept(handlers: Handlers): void {
    if (this.#handlers !== undefined || this.#end !== undefined) return
    this.#handlers = handlers
    void this.#attach(handlers)
  }

  close(error?: LinkError): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    if (this.#handlers === undefined) {
      this.#offer.settle(error === undefined ? { type: 'released' } : { type: 'rejected', ...error })
      this.#onEnd()
    } else if (this.#receiver !== undefined) void this.#leave(this.#receiver)
  }

  silence(): void {
    this.#end ??= { error: undefined }
  }

  orphan(): void {
    this.#ended({ cause: 'lost' })
  }

  async #attach({ window, onDelivery }: Handlers): Promise<void> {
    try {
      this.#receiver = await this.#connection.openReceiver({
        address: linkAddress(this.#announcement.id, window),
        window,
        onDelivery: delivery => {
          if (this.#end === undefined) onDelivery(delivery)
        },
        onClosed: closed => this.#ended(closed)
      })
      this.#offer.settle({ type: 'accepted' })
      if (this.#end !== undefined) await this.#leave(this.#receiver)
    } catch (error) {
      // gone before we took it, or our connection went
      const gone = error instanceof AmqpError && error.condition === 'amqp:not-found'
      this.#ended({ cause: gone ? 'error' : 'lost', error: LINK_LOST })
    }
  }

  async #leave(receiver: Receiver): Promise<void> {
    await receiver.close(this.#end?.error)
    this.#onEnd()
  }

  #ended({ cause, error }: LinkClosed): void {
    this.#onEnd()
    if (this.#end !== undefined) return
    this.#end = { error }
    if (cause === 'lost') this.#handlers?.onClosed({ cause: 'orphaned' })
    else if (error?.condition === LINK_LOST.condition) this.#handlers?.onClosed({ cause: 'lost' })
    else this.#handlers?.onClosed({ cause, error })
  }
}
