// The link of a client that receives from us over a broker in another process.
// Rule: it is a link of ours to the broker, with the client's credit, outcomes and end. What the client reads before our link is there
// waits: until then there is no credit.

import { AmqpError } from '../../plugin/errors.js'
import type {
  Delivery,
  LinkClosed,
  LinkError,
  Message,
  Outcome,
  Sender,
  ServedReader
} from '../../plugin/host.js'
import { readAnnouncement, readerAddress, type LinkAnnouncement } from '../embedded/management-protocol.js'
import { EmbeddedPrincipal } from '../embedded/users.js'
import type { ClientSession } from '../rhea/client-session.js'
import { LINK_LOST } from '../rhea/serving/link-lost.js'
import type { Forwarded } from './remote-serving.js'

type Handlers = Parameters<ServedReader['accept']>[0]

export class ForwardedReader implements ServedReader, Forwarded {
  readonly name: string
  readonly address: string
  readonly user: ServedReader['user']
  readonly #announcement: LinkAnnouncement
  readonly #offer: Delivery
  readonly #onReader: (reader: ServedReader) => void
  readonly #session: ClientSession
  readonly #onEnd: () => void
  #handlers: Handlers | undefined
  #sender: Sender | undefined
  /** how this side ended it */
  #end: { readonly error: LinkError | undefined } | undefined

  constructor(
    offer: Delivery,
    onReader: (reader: ServedReader) => void,
    session: ClientSession,
    onEnd: () => void
  ) {
    this.#announcement = readAnnouncement(offer.message)
    const { name, address, user } = this.#announcement
    this.name = name
    this.address = address
    this.user = user === 'service' ? user : new EmbeddedPrincipal(user)
    this.#offer = offer
    this.#onReader = onReader
    this.#session = session
    this.#onEnd = onEnd
  }

  get credit(): number {
    return this.#end === undefined ? (this.#sender?.credit ?? 0) : 0
  }

  offer(): void {
    this.#onReader(this)
    if (this.#handlers === undefined) this.close()
  }

  accept(handlers: Handlers): void {
    if (this.#handlers !== undefined || this.#end !== undefined) return
    this.#handlers = handlers
    void this.#attach(handlers)
  }

  send(message: Message, onOutcome?: (outcome: Outcome) => void): void {
    if (this.#sender === undefined || this.credit <= 0)
      throw new RangeError(`no credit to send from ${this.address}`)
    this.#sender.send(message, outcome => {
      if (this.#end === undefined) onOutcome?.(outcome)
    })
  }

  close(error?: LinkError): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    if (this.#handlers === undefined) {
      this.#offer.settle(error === undefined ? { type: 'released' } : { type: 'rejected', ...error })
      this.#onEnd()
    } else if (this.#sender !== undefined) void this.#leave(this.#sender)
  }

  silence(): void {
    this.#end ??= { error: undefined }
  }

  orphan(): void {
    this.#ended({ cause: 'lost' })
  }

  async #attach({ onCredit, onDrain }: Handlers): Promise<void> {
    try {
      const opening = this.#session.openSender({
        address: readerAddress(this.#announcement.id),
        onCredit: () => {
          if (this.credit > 0) onCredit()
        },
        onDrain: async () => {
          await opening // it may be asked for with the answer to the attach
          await onDrain?.()
        },
        onClosed: closed => this.#ended(closed)
      })
      this.#sender = await opening
      this.#offer.settle({ type: 'accepted' })
      if (this.#end !== undefined) await this.#leave(this.#sender)
      else if (this.credit > 0) onCredit() // it came with the answer
    } catch (error) {
      // gone before we took it, or our connection went
      const gone = error instanceof AmqpError && error.condition === 'amqp:not-found'
      this.#ended({ cause: gone ? 'error' : 'lost', error: LINK_LOST })
    }
  }

  async #leave(sender: Sender): Promise<void> {
    await sender.close(this.#end?.error)
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
