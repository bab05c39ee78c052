// Our end of a client's link that the broker told us of: shown to its server, taken or refused, and ended once.
// Rule: the server is told one end at most, and none that it brought about itself; whatever ends it, the broker hears of it.

import { AmqpError } from '../../plugin/errors.js'
import type { Delivery, LinkClosed, LinkError, Receiver, Sender, ServedLink } from '../../plugin/host.js'
import { readAnnouncement, type LinkAnnouncement } from '../embedded/management-protocol.js'
import { EmbeddedPrincipal } from '../embedded/users.js'
import { LINK_LOST } from '../rhea/serving/link-lost.js'

/** How a server takes a link. */
export interface Taking<Link extends Sender | Receiver> {
  /** Our link to the broker, which is one with the client's. */
  readonly open: (onClosed: (closed: LinkClosed) => void) => Promise<Link>
  /** It is there, and nobody has ended it meanwhile. */
  readonly onOpen?: () => void
  readonly onClosed: (closed: LinkClosed) => void
}

export class ForwardedEnd {
  readonly announcement: LinkAnnouncement
  readonly user: ServedLink['user']
  readonly #offer: Delivery
  readonly #onEnd: () => void
  #onClosed: ((closed: LinkClosed) => void) | undefined
  #link: Sender | Receiver | undefined
  /** how this side ended it */
  #end: { readonly error: LinkError | undefined } | undefined

  /** `onEnd`: it is over, for whatever reason; perhaps more than once. */
  constructor(offer: Delivery, onEnd: () => void) {
    this.announcement = readAnnouncement(offer.message)
    const { user } = this.announcement
    this.user = user === 'service' ? user : new EmbeddedPrincipal(user)
    this.#offer = offer
    this.#onEnd = onEnd
  }

  get ended(): boolean {
    return this.#end !== undefined
  }

  get taken(): boolean {
    return this.#onClosed !== undefined
  }

  /** The first time alone, and not after its end. */
  take<Link extends Sender | Receiver>(taking: Taking<Link>): void {
    if (this.taken || this.ended) return
    this.#onClosed = taking.onClosed
    void this.#open(taking)
  }

  /** The server detaches it, or does not take it. */
  close(error?: LinkError): void {
    if (this.ended) return
    this.#end = { error }
    if (!this.taken) {
      this.#offer.settle(error === undefined ? { type: 'released' } : { type: 'rejected', ...error })
      this.#onEnd()
    } else if (this.#link !== undefined) void this.#leave(this.#link)
  }

  /** The address is not served any more; the broker tells the client. */
  silence(): void {
    this.#end ??= { error: undefined }
  }

  /** We do not serve the address any more. */
  orphan(): void {
    this.#ended({ cause: 'lost' })
  }

  async #open({ open, onOpen }: Taking<Sender | Receiver>): Promise<void> {
    try {
      this.#link = await open(closed => this.#ended(closed))
      this.#offer.settle({ type: 'accepted' })
      if (this.ended) await this.#leave(this.#link)
      else onOpen?.()
    } catch (error) {
      // gone before we took it, or our connection went
      const gone = error instanceof AmqpError && error.condition === 'amqp:not-found'
      this.#ended({ cause: gone ? 'error' : 'lost', error: LINK_LOST })
    }
  }

  async #leave(link: Sender | Receiver): Promise<void> {
    await link.close(this.#end?.error)
    this.#onEnd()
  }

  #ended({ cause, error }: LinkClosed): void {
    this.#onEnd()
    if (this.ended) return
    this.#end = { error }
    if (cause === 'lost') this.#onClosed?.({ cause: 'orphaned' })
    else if (error?.condition === LINK_LOST.condition) this.#onClosed?.({ cause: 'lost' })
    else this.#onClosed?.({ cause, error })
  }
}
