// Links of clients that a server in another process is told of, until it takes them or refuses them.
// Rule: each link is decided once; those that a server has not decided when it goes are refused.

import { randomUUID } from 'node:crypto'
import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { Closeable, LinkClosed, LinkError, Outcome, Principal } from '../../plugin/host.js'
import type { CoreReceiverOptions } from '../rhea/listener/bridge.js'
import { LINK_LOST } from '../rhea/serving/link-lost.js'
import { makeAnnouncement, type LinkAnnouncement } from './management-protocol.js'
import { PushReceiver } from './push-receiver.js'
import { EmbeddedPrincipal } from './users.js'

interface Offered {
  readonly name: string
  readonly address: string
  readonly user: Principal | 'service'
  close(error?: LinkError): void
}

interface Offer<L extends Offered> {
  readonly link: L
  readonly decided: () => void
}

export const GONE: LinkError = { condition: CONDITIONS.detachForced, description: 'the server is gone' }

export class Offers<L extends Offered> {
  readonly #offers = new Map<string, Offer<L>>()

  /** Announces to the one who receives here what `serve` is given. Throws what `serve` does. */
  serve(
    name: string,
    address: string,
    link: CoreReceiverOptions,
    serve: (onLink: (link: L) => Promise<void>) => Closeable
  ): PushReceiver {
    const open = new Set<string>()
    const onLeft = (): void => {
      void serving.close()
      for (const id of open) this.#refuse(id, GONE)
    }
    const announcements = new PushReceiver({ name, address, link, onLeft })
    const serving = serve(offered => this.#offer(offered, announcements, open))
    return announcements
  }

  /** The server takes a link that it was told of, and calls `decided` when it has. Throws `amqp:not-found`. */
  take(id: string): Offer<L> {
    const offer = this.#offers.get(id)
    if (offer === undefined) throw new AmqpError(CONDITIONS.notFound, 'the link has ended')
    this.#offers.delete(id)
    return offer
  }

  /** Resolves when the server has decided. */
  #offer(link: L, announcements: PushReceiver, open: Set<string>): Promise<void> {
    const id = randomUUID()
    open.add(id)
    return new Promise(resolve => {
      const decided = (): void => {
        open.delete(id)
        resolve()
      }
      this.#offers.set(id, { link, decided })
      const user = link.user instanceof EmbeddedPrincipal ? link.user.rights : userName(link)
      const { name, address } = link
      announcements.push(makeAnnouncement({ id, name, address, user }), outcome => {
        if (outcome.type !== 'accepted') this.#refuse(id, refusalOf(outcome))
      })
    })
  }

  #refuse(id: string, error: LinkError | undefined): void {
    const offer = this.#offers.get(id)
    if (!this.#offers.delete(id)) return
    offer?.link.close(error)
    offer?.decided()
  }
}

function userName({ user }: Offered): LinkAnnouncement['user'] {
  // rights that are not data cannot be told: none
  return user === 'service' ? user : { name: user.name, send: [], receive: [], clientIds: [] }
}

function refusalOf(outcome: Outcome): LinkError | undefined {
  if (outcome.type !== 'rejected') return undefined
  const { condition, description } = outcome
  return { condition, description }
}

/** What the server's link ends with when the client's has ended so. */
export function endOf({ cause, error }: LinkClosed): LinkClosed {
  return cause === 'lost' ? { cause: 'error', error: LINK_LOST } : { cause, error }
}
