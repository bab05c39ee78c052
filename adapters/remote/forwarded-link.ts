// The link of a client that sends to us over a broker in another process, as its server meets it.
// Rule: it is a link of ours from the broker, whose window is the client's credit, with the same outcomes and end.

import type { AmqpConnection, LinkError, ServedLink } from '../../plugin/host.js'
import { linkAddress } from '../embedded/management-protocol.js'
import type { ForwardedEnd } from './forwarded-end.js'

export class ForwardedLink implements ServedLink {
  readonly name: string
  readonly address: string
  readonly user: ServedLink['user']
  readonly #end: ForwardedEnd
  readonly #connection: AmqpConnection

  constructor(end: ForwardedEnd, connection: AmqpConnection) {
    this.name = end.announcement.name
    this.address = end.announcement.address
    this.user = end.user
    this.#end = end
    this.#connection = connection
  }

  accept({ window, onDelivery, onClosed }: Parameters<ServedLink['accept']>[0]): void {
    const end = this.#end
    end.take({
      open: ended =>
        this.#connection.openReceiver({
          address: linkAddress(end.announcement.id, window),
          window,
          onDelivery: delivery => {
            if (!end.ended) onDelivery(delivery)
          },
          onClosed: ended
        }),
      onClosed
    })
  }

  close(error?: LinkError): void {
    this.#end.close(error)
  }
}
