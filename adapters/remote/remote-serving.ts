// An address that we serve for clients of a broker in another process.
// Rule: a link of a client is a link of ours to the broker, with the same credit, outcomes and end. When our connection goes the links
// are orphaned and another process may serve the address, so ours does not come back by itself: its server is told.

import type { Closeable, Delivery, Receiver } from '../../plugin/host.js'
import type { CAPABILITY } from '../embedded/management-protocol.js'
import type { ClientSession } from '../rhea/client-session.js'
import { ForwardedEnd } from './forwarded-end.js'

export interface ServingOptions {
  readonly address: string
  readonly capability: (typeof CAPABILITY)['serve' | 'serveReaders']
  /** Shows the server a link that the broker tells us of. */
  readonly meet: (end: ForwardedEnd, session: ClientSession) => void
  /** once, and not after close() */
  readonly onLost: (() => void) | undefined
  readonly connect: () => Promise<ClientSession>
}

/** Links that we may be told of at once. */
const OFFERS = 500

export class RemoteServing implements Closeable {
  readonly #options: ServingOptions
  readonly #links = new Set<ForwardedEnd>()
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
    const link = new ForwardedEnd(delivery, () => this.#links.delete(link))
    this.#links.add(link)
    this.#options.meet(link, session)
    if (!link.taken) link.close()
  }

  #lost(): void {
    if (this.#closed) return
    this.#closed = true
    for (const link of [...this.#links]) link.orphan()
    this.#options.onLost?.()
    void this.#session?.close()
  }
}
