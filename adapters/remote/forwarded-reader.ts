// The link of a client that receives from us over a broker in another process, as its server meets it.
// Rule: it is a link of ours to the broker, with the client's credit, outcomes and end. What the client reads before our link is there
// waits: until then there is no credit.

import type { LinkClosed, LinkError, Message, Outcome, Sender, ServedReader } from '../../plugin/host.js'
import { readerAddress } from '../embedded/management-protocol.js'
import type { ClientSession } from '../rhea/client-session.js'
import type { ForwardedEnd } from './forwarded-end.js'

type Handlers = Parameters<ServedReader['accept']>[0]

export class ForwardedReader implements ServedReader {
  readonly name: string
  readonly address: string
  readonly user: ServedReader['user']
  readonly #end: ForwardedEnd
  readonly #session: ClientSession
  #sender: Sender | undefined

  constructor(end: ForwardedEnd, session: ClientSession) {
    this.name = end.announcement.name
    this.address = end.announcement.address
    this.user = end.user
    this.#end = end
    this.#session = session
  }

  get credit(): number {
    return this.#end.ended ? 0 : (this.#sender?.credit ?? 0)
  }

  accept({ onCredit, onDrain, onClosed }: Handlers): void {
    const tellCredit = (): void => {
      if (this.credit > 0) onCredit()
    }
    this.#end.take({
      open: ended => this.#open(tellCredit, onDrain, ended),
      onOpen: tellCredit, // it came with the answer
      onClosed
    })
  }

  send(message: Message, onOutcome?: (outcome: Outcome) => void): void {
    if (this.#sender === undefined || this.credit <= 0)
      throw new RangeError(`no credit to send from ${this.address}`)
    this.#sender.send(message, outcome => {
      if (!this.#end.ended) onOutcome?.(outcome)
    })
  }

  close(error?: LinkError): void {
    this.#end.close(error)
  }

  async #open(
    onCredit: () => void,
    onDrain: Handlers['onDrain'],
    onClosed: (closed: LinkClosed) => void
  ): Promise<Sender> {
    const opening = this.#session.openSender({
      address: readerAddress(this.#end.announcement.id),
      onCredit,
      onDrain: async () => {
        await opening // it may be asked for with the answer to the attach
        await onDrain?.()
      },
      onClosed
    })
    this.#sender = await opening
    return this.#sender
  }
}
