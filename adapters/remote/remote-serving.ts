// An address that we serve for clients of a broker in another process.
// Rule: a link of a client is a link of ours to the broker, with the same credit, outcomes and end. When our connection goes the links
// are orphaned, and the address is served again as soon as the broker lets us, until somebody closes it.

import { AmqpError } from '../../plugin/errors.js'
import type {
  AmqpConnection,
  Closeable,
  Delivery,
  LinkClosed,
  LinkError,
  Logger,
  Receiver,
  ServedLink
} from '../../plugin/host.js'
import {
  CAPABILITY,
  linkAddress,
  LINK_LOST,
  readAnnouncement,
  type LinkAnnouncement
} from '../embedded/management-protocol.js'
import { EmbeddedPrincipal } from '../embedded/users.js'
import type { ClientSession } from '../rhea/client-session.js'

type Handlers = Parameters<ServedLink['accept']>[0]

export interface ServingOptions {
  readonly address: string
  readonly onLink: (link: ServedLink) => void
  readonly connect: () => Promise<ClientSession>
  readonly log: Logger
}

/** Links that we may be told of at once. */
const OFFERS = 500
/** Waits before another try, ms: doubled each time up to the second. */
const RETRY_MS = [100, 5000] as const

export class RemoteServing implements Closeable {
  readonly #options: ServingOptions
  readonly #links = new Set<ForwardedLink>()
  #announcements: Receiver | undefined
  #session: ClientSession | undefined
  #timer: NodeJS.Timeout | undefined
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
    clearTimeout(this.#timer)
    for (const link of this.#links) link.silence()
    await this.#announcements?.close()
    await this.#session?.close()
  }

  async #attach(): Promise<void> {
    const { address, connect } = this.#options
    const session = await connect()
    try {
      this.#announcements = await session.openReceiver({
        address,
        window: OFFERS,
        capabilities: [CAPABILITY.serve],
        onDelivery: delivery => this.#offered(delivery, session),
        onClosed: closed => this.#lost(closed)
      })
      this.#session = session
    } catch (error) {
      await session.close()
      throw error
    }
    if (this.#closed) await session.close()
  }

  #offered(delivery: Delivery, session: ClientSession): void {
    const link = new ForwardedLink(this.#options.address, delivery, session, () => this.#links.delete(link))
    this.#links.add(link)
    link.offerTo(this.#options.onLink)
  }

  #lost({ error }: LinkClosed): void {
    const { address, log } = this.#options
    log.warn({ address, error }, 'the broker is gone; its clients are served again when it is back')
    void this.#session?.close()
    this.#retry(RETRY_MS[0])
  }

  #retry(ms: number): void {
    if (this.#closed) return
    const { address, log } = this.#options
    this.#timer = setTimeout(() => {
      this.#attach().then(
        () => log.info({ address }, 'clients are served again'),
        (error: unknown) => {
          if (!(error instanceof AmqpError)) log.error({ address, err: error }, 'an address cannot be served')
          this.#retry(Math.min(ms * 2, RETRY_MS[1]))
        }
      )
    }, ms)
  }
}

/** A client's link, as its server meets it. */
class ForwardedLink implements ServedLink {
  readonly name: string
  readonly address: string
  readonly user: ServedLink['user']
  readonly #announcement: LinkAnnouncement
  readonly #offer: Delivery
  readonly #connection: AmqpConnection
  readonly #onEnd: () => void
  #handlers: Handlers | undefined
  #receiver: Receiver | undefined
  /** how this side ended it */
  #end: { readonly error: LinkError | undefined } | undefined

  constructor(address: string, offer: Delivery, connection: AmqpConnection, onEnd: () => void) {
    this.#announcement = readAnnouncement(offer.message)
    const { name, user } = this.#announcement
    this.name = name
    this.address = address
    this.user = user === 'service' ? user : new EmbeddedPrincipal(user)
    this.#offer = offer
    this.#connection = connection
    this.#onEnd = onEnd
  }

  offerTo(onLink: (link: ServedLink) => void): void {
    onLink(this)
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

  /** The address is not served any more; the broker tells the client. */
  silence(): void {
    this.#end ??= { error: undefined }
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
