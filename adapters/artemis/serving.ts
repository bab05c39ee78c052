// An address that the plugin serves, for clients anywhere on the broker.
// Rule: whoever receives from the address's queue serves it, and the broker lets only one. When this side's connection goes the links
// are orphaned and another may serve the address, so this one does not come back by itself: its server is told.

import type { AmqpConnection, Closeable, Delivery, Receiver } from '../../plugin/host.js'
import type { Broker } from './broker.js'
import { translating } from './broker-errors.js'
import { decodeFrame } from './link-frames.js'
import { LinkWire, SERVER_GONE } from './link-wire.js'
import { OfferedLink, OfferedReader } from './offered-links.js'
import type { PeerWatch } from './peer-watch.js'
import type { Attach } from './server-end.js'

type Offered = OfferedLink | OfferedReader

export interface ServingOptions {
  readonly queue: string
  readonly broker: Broker
  readonly watch: PeerWatch
  readonly connect: () => Promise<AmqpConnection>
  /** Shows a link to the server. */
  readonly meet: (offer: ConstructorParameters<typeof OfferedLink>[0]) => Offered
  /** once, and not after close() */
  readonly onLost: (() => void) | undefined
}

/** Links that may ask at once. */
const WINDOW = 500

export class Serving implements Closeable {
  readonly #options: ServingOptions
  readonly #connection: AmqpConnection
  readonly #links = new Set<Offered>()
  #wire: LinkWire | undefined
  #receiver: Receiver | undefined
  #closed = false

  private constructor(options: ServingOptions, connection: AmqpConnection) {
    this.#options = options
    this.#connection = connection
  }

  /** Rejects `amqp:resource-locked` while another serves the address. */
  static async open(options: ServingOptions): Promise<Serving> {
    const { queue, broker, watch, connect } = options
    const connection = await connect()
    const serving = new Serving(options, connection)
    try {
      serving.#wire = await LinkWire.open({ connection, broker, watch })
      await broker.createTemporaryQueue(queue)
      serving.#receiver = await translating(
        connection.openReceiver({
          address: queue,
          kind: 'queue',
          window: WINDOW,
          onDelivery: delivery => serving.#offered(delivery),
          onClosed: () => serving.#lost()
        })
      )
      return serving
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#receiver?.close()
    await this.#options.broker.destroyQueue(this.#options.queue)
    await Promise.all([...this.#links].map(({ end }) => end.detach(SERVER_GONE)))
    await this.#connection.close()
    if (this.#wire !== undefined) await this.#options.broker.destroyQueue(this.#wire.inbox)
  }

  #offered({ message, settle }: Delivery): void {
    settle({ type: 'accepted' })
    const decoded = decodeFrame(message)
    const wire = this.#wire
    if (decoded?.frame.type !== 'attach' || wire === undefined || this.#closed) return
    const attach: Attach = decoded.frame
    const links = this.#links
    let link: Offered | undefined = undefined
    const onEnded = (): void => {
      if (link !== undefined) links.delete(link)
    }
    link = this.#options.meet({ wire, id: decoded.link, attach, onEnded })
    if (link.end.open) links.add(link)
    else link.close()
  }

  #lost(): void {
    if (this.#closed) return
    this.#closed = true
    this.#options.onLost?.()
    void this.#connection.close()
  }
}
