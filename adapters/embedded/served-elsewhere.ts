// Addresses that another process serves over AMQP.
// Rule: a link of a client is answered when its server has taken it or refused it; each is a link of its own to the server, so that
// credit, outcomes and the end of each side are those of the other.

import { randomUUID } from 'node:crypto'
import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { LinkClosed, LinkError, Outcome, Receiver, ServedLink } from '../../plugin/host.js'
import type { EmbeddedReceiverOptions } from './connection.js'
import { LINK_LOST, makeAnnouncement, type LinkAnnouncement } from './management-protocol.js'
import { PushReceiver } from './push-receiver.js'
import type { ServedAddresses } from './served.js'
import { EmbeddedPrincipal } from './users.js'

/** A link whose server has not decided. */
interface Offer {
  readonly link: ServedLink
  readonly decided: () => void
}

const GONE: LinkError = { condition: CONDITIONS.detachForced, description: 'the server is gone' }

export class ServedElsewhere {
  readonly #served: ServedAddresses
  readonly #offers = new Map<string, Offer>()

  constructor(served: ServedAddresses) {
    this.#served = served
  }

  /** Serves `address` for the one who receives here. Throws `amqp:resource-locked`. */
  serve(name: string, address: string, link: EmbeddedReceiverOptions): PushReceiver {
    const open = new Set<string>()
    const onLeft = (): void => {
      void serving.close()
      for (const id of open) this.#refuse(id, GONE)
    }
    const announcements = new PushReceiver({ name, address, link, onLeft })
    const serving = this.#served.serve(address, offered => this.#offer(offered, announcements, open))
    return announcements
  }

  /** The server takes a link that it was told of. Throws `amqp:not-found`. */
  take(
    id: string,
    window: number,
    options: EmbeddedReceiverOptions,
    onEnd: (receiver: PushReceiver) => void
  ): Receiver & PushReceiver {
    const offer = this.#offers.get(id)
    if (offer === undefined) throw new AmqpError(CONDITIONS.notFound, 'the link has ended')
    this.#offers.delete(id)
    const { link, decided } = offer
    const receiver = new PushReceiver({
      name: options.name ?? id,
      address: options.address ?? id,
      link: options,
      onLeft: closed => {
        onEnd(receiver)
        link.close(closed.cause === 'lost' ? GONE : closed.error)
      }
    })
    link.accept({
      window,
      onDelivery: delivery => receiver.push(delivery.message, outcome => delivery.settle(outcome)),
      onClosed: closed => {
        onEnd(receiver)
        receiver.end(endOf(closed))
      }
    })
    decided()
    return receiver
  }

  /** Resolves when the server has decided. */
  #offer(link: ServedLink, announcements: PushReceiver, open: Set<string>): Promise<void> {
    const id = randomUUID()
    open.add(id)
    return new Promise(resolve => {
      const decided = (): void => {
        open.delete(id)
        resolve()
      }
      this.#offers.set(id, { link, decided })
      const user = link.user instanceof EmbeddedPrincipal ? link.user.rights : userName(link)
      const announcement: LinkAnnouncement = { id, name: link.name, user }
      announcements.push(makeAnnouncement(announcement), outcome => {
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

function userName({ user }: ServedLink): LinkAnnouncement['user'] {
  // rights that are not data cannot be told: none
  return user === 'service' ? user : { name: user.name, send: [], receive: [], clientIds: [] }
}

function refusalOf(outcome: Outcome): LinkError | undefined {
  if (outcome.type !== 'rejected') return undefined
  const { condition, description } = outcome
  return { condition, description }
}

function endOf({ cause, error }: LinkClosed): LinkClosed {
  return cause === 'lost' ? { cause: 'error', error: LINK_LOST } : { cause, error }
}
