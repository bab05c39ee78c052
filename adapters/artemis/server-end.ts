// What the server's ends of links share: who is at the other end, what it may do, and how the link ends.
// Rule: a client that vanished is lost, one that detached says how; when this side's own connection goes its links are orphaned.

import type { LinkClosed, LinkError, Principal } from '../../plugin/host.js'
import { closedBy } from '../rhea/serving/link-lost.js'
import type { Frame, Right } from './link-frames.js'
import type { LinkWire, WireLink } from './link-wire.js'

export type Attach = Extract<Frame, { readonly type: 'attach' }>

interface ServerEndOptions {
  readonly wire: LinkWire
  /** of the link */
  readonly id: string
  readonly attach: Attach
  readonly onFrame: (frame: Frame) => void
  readonly onClosed: (closed: LinkClosed) => void
  /** However it ended. */
  readonly onEnded: () => void
}

export class ServerEnd implements WireLink {
  readonly #options: ServerEndOptions
  readonly #answers = new Map<number, (may: boolean) => void>()
  readonly #unwatch: () => void
  #lastQuestion = 0
  #accepted = false
  #ended = false

  constructor(options: ServerEndOptions) {
    this.#options = options
    const { wire, id, attach } = options
    wire.add(id, this)
    this.#unwatch = wire.watch.watch(attach.inbox, () => this.#end({ cause: 'lost' }))
  }

  get open(): boolean {
    return this.#accepted && !this.#ended
  }

  get user(): Principal | 'service' {
    const { user } = this.#options.attach
    if (user === undefined) return 'service'
    return {
      name: user,
      maySend: topic => this.#ask('send', topic),
      mayReceive: filter => this.#ask('receive', filter),
      mayUse: clientId => this.#ask('use', clientId)
    }
  }

  accept(window: number): void {
    if (this.#accepted || this.#ended) return
    this.#accepted = true
    this.#send({ type: 'attached', inbox: this.#options.wire.inbox, window })
  }

  send(frame: Frame): void {
    if (this.open) this.#send(frame)
  }

  /** Refuses the link, or detaches it. */
  close(error: LinkError | undefined): void {
    if (this.#ended) return
    this.#send(this.#accepted ? { type: 'detach', error } : { type: 'refused', error: error ?? NOT_TAKEN })
    this.#silence()
  }

  /** As close, and resolves when the client's inbox has it. */
  async detach(error: LinkError): Promise<void> {
    if (this.#ended) return
    this.#silence()
    const { wire, id, attach } = this.#options
    await wire.sent(id, attach.inbox, { type: 'detach', error })
  }

  onFrame(frame: Frame): void {
    if (frame.type === 'answer') {
      this.#answers.get(frame.question)?.(frame.may)
      this.#answers.delete(frame.question)
    } else if (frame.type === 'detach') {
      const { error } = frame
      this.#send({ type: 'detached' })
      this.#end(closedBy(error))
    } else if (!this.#ended) this.#options.onFrame(frame)
  }

  onLost(): void {
    this.#end({ cause: 'orphaned' })
  }

  /** A client that is gone may nothing. */
  #ask(right: Right, value: string): Promise<boolean> {
    if (this.#ended) return Promise.resolve(false)
    const question = ++this.#lastQuestion
    return new Promise(resolve => {
      this.#answers.set(question, resolve)
      this.#send({ type: 'ask', question, right, value })
    })
  }

  #send(frame: Frame): void {
    const { wire, id, attach } = this.#options
    wire.send(id, attach.inbox, frame)
  }

  #end(closed: LinkClosed): void {
    if (this.#ended) return
    this.#silence()
    if (this.#accepted) this.#options.onClosed(closed)
  }

  #silence(): void {
    this.#ended = true
    this.#unwatch()
    this.#options.wire.remove(this.#options.id)
    for (const answer of this.#answers.values()) answer(false)
    this.#answers.clear()
    this.#options.onEnded()
  }
}

const NOT_TAKEN: LinkError = {
  condition: 'amqp:not-allowed',
  description: 'the server did not take the link'
}
