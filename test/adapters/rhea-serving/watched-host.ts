// A host that works, and shows what was asked of it; a test takes its connections and places away.
// Rule: but for what a test does to it, it is the embedded space.

import type { EmbeddedSpace } from '../../../adapters/embedded/index.js'
import type { AddressSpace, Credentials, Principal } from '../../../plugin/host.js'

type Connection = Awaited<ReturnType<EmbeddedSpace['connect']>>

export class WatchedHost {
  readonly space: AddressSpace
  readonly connections: Connection[] = []
  readonly logins: Credentials['mechanism'][] = []
  /** each says that another may serve what it was given for */
  readonly places: (() => void)[] = []
  /** does not connect any more */
  down = false
  /** receivers open when it has resolved */
  receiving: Promise<void> = Promise.resolve()

  constructor(inner: EmbeddedSpace) {
    const { name, type, mqtt, capabilities, addresses, queues, routes } = inner
    this.space = {
      ...{ name, type, mqtt, capabilities, addresses, queues, routes },
      authenticate: credentials => {
        this.logins.push(credentials.mechanism)
        return inner.authenticate(credentials)
      },
      connect: async (as: Principal | 'service') => {
        const connection = await inner.connect(as)
        if (this.down) connection.lose()
        this.connections.push(connection)
        return {
          openSender: options => connection.openSender(options),
          openReceiver: async options => {
            await this.receiving
            return connection.openReceiver({
              ...options,
              onDelivery: delivery => options.onDelivery(delivery)
            })
          },
          close: () => connection.close()
        }
      },
      serve: async (address, onLink, onLost) => {
        const serving = await inner.serve(address, onLink)
        this.places.push(() => {
          void serving.close()
          onLost?.()
        })
        return serving
      },
      serveReaders: async (prefix, onReader, onLost) => {
        const serving = await inner.serveReaders(prefix, onReader)
        this.places.push(() => {
          void serving.close()
          onLost?.()
        })
        return serving
      },
      source: (filter, options) => inner.source(filter, options),
      store: store => inner.store(store)
    }
  }

  /** As when the broker stops: what there is ends, and nothing new opens. */
  fail(): void {
    this.down = true
    const error = { condition: 'amqp:connection:forced', description: 'the broker stops' }
    for (const connection of this.connections) connection.end(error)
  }
}
