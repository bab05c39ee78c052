// Addresses that the plugin serves: each sender that a client opens there is a link of its own to the server.
// Rule: what is sent goes straight to the server, and its outcome straight back; nothing is queued, so the server's window is
// the client's credit.

import { randomUUID } from 'node:crypto'
import { AmqpError } from '../../../plugin/errors.js'
import type {
  Closeable,
  Delivery,
  LinkClosed,
  LinkError,
  Message,
  Outcome,
  Sender,
  SenderOptions,
  ServedLink
} from '../../../plugin/host.js'
import type { Identity } from '../listener/bridge.js'
import { closedBy } from './link-lost.js'

/** A promise: the server, somewhere else, has decided when it resolves. */
type OnLink = (link: ServedLink) => void | Promise<void>
type Handlers = Parameters<ServedLink['accept']>[0]

/** What a server holds while it serves. */
export interface Serving extends Closeable {
  /** The host lets another one serve from now on: both sides of each link are told. */
  orphan(): void
}

const DETACHED: LinkError = {
  condition: 'amqp:link:detach-forced',
  description: 'the server detached the link'
}
const REFUSED: LinkError = { condition: 'amqp:not-allowed', description: 'the server did not take the link' }

export class ServedAddresses {
  readonly #servers = new Map<string, { readonly onLink: OnLink; readonly links: Set<ServedSender> }>()

  has(address: string): boolean {
    return this.#servers.has(address)
  }

  /** Throws `amqp:resource-locked`. */
  serve(address: string, onLink: OnLink): Serving {
    if (this.#servers.has(address))
      throw new AmqpError('amqp:resource-locked', `${address} is served already`)
    const server = { onLink, links: new Set<ServedSender>() }
    this.#servers.set(address, server)
    const end = (each: (link: ServedSender) => void): void => {
      if (this.#servers.get(address) === server) this.#servers.delete(address)
      for (const link of [...server.links]) each(link)
    }
    return {
      close: async () => end(link => link.detach(DETACHED)),
      orphan: () => end(link => link.orphan())
    }
  }

  /** Throws what the server refuses the link with. `onEnd`: the link is over, for whatever reason. */
  open(
    address: string,
    options: SenderOptions,
    user: Identity,
    onEnd: () => void
  ): { readonly sender: ServedSender; readonly decided: Promise<void> | undefined } {
    const server = this.#servers.get(address)
    if (server === undefined) throw new AmqpError('amqp:not-found', `nobody serves ${address}`)
    const sender: ServedSender = new ServedSender(address, options, user, () => {
      server.links.delete(sender)
      onEnd()
    })
    server.links.add(sender)
    return { sender, decided: sender.offerTo(server.onLink) }
  }
}

/** The client's end of a link to a server. */
export class ServedSender implements Sender {
  readonly name: string
  readonly #address: string
  readonly #options: SenderOptions
  readonly #user: Identity
  readonly #onEnd: () => void
  #handlers: Handlers | undefined
  #refusal: LinkError | undefined
  /** how the client went before the server had decided */
  #left: LinkClosed | undefined
  #opened = false
  #ended = false
  #credit = 0

  constructor(address: string, options: SenderOptions, user: Identity, onEnd: () => void) {
    this.name = options.name ?? `sender-${randomUUID()}`
    this.#address = address
    this.#options = options
    this.#user = user
    this.#onEnd = onEnd
  }

  /** Throws AmqpError where the server does not take the link, or rejects with it where the server decides later. */
  offerTo(onLink: OnLink): Promise<void> | undefined {
    const deciding = onLink({
      name: this.name,
      address: this.#address,
      user: this.#user,
      accept: handlers => this.#accept(handlers),
      close: error => {
        this.#left = undefined
        this.detach(error)
      }
    })
    if (deciding instanceof Promise) return deciding.then(() => this.#decided())
    this.#decided()
    return undefined
  }

  #accept(handlers: Handlers): void {
    this.#handlers = handlers
    if (!this.#ended) this.#credit = handlers.window
    else if (this.#left !== undefined) setImmediate(() => this.#tellLeft())
  }

  #tellLeft(): void {
    if (this.#left !== undefined) this.#handlers?.onClosed(this.#left)
  }

  #decided(): void {
    if (this.#handlers === undefined) this.detach(this.#refusal ?? REFUSED)
    const { condition, description } = this.#refusal ?? REFUSED
    if (this.#ended) throw new AmqpError(condition, description)
    this.#opened = true
  }

  get credit(): number {
    return this.#credit
  }

  send(message: Message, onOutcome?: (outcome: Outcome) => void): void {
    if (this.#credit <= 0) throw new RangeError(`no credit to send to ${this.#address}`)
    this.#credit--
    let settled = false
    const settle = (outcome: Outcome): void => {
      if (settled || this.#ended) return
      settled = true
      const rose = this.#credit++ === 0
      onOutcome?.(outcome)
      if (rose && this.#credit > 0) this.#options.onCredit?.()
    }
    const { deliveryCount } = message
    const delivery: Delivery = { message, id: undefined, deliveryCount, settle }
    this.#handlers?.onDelivery(delivery)
  }

  async close(error?: LinkError): Promise<void> {
    this.leave(closedBy(error))
  }

  /** The client went; the server is told. */
  leave(closed: LinkClosed): void {
    if (!this.#end()) return
    if (this.#handlers === undefined) this.#left = closed
    else this.#handlers.onClosed(closed)
  }

  /** The server went, or does not take the link; the client is told. */
  detach(error?: LinkError): void {
    if (!this.#end()) return
    this.#refusal = error
    if (!this.#opened) return
    this.#options.onClosed?.(error === undefined ? { cause: 'clean' } : { cause: 'error', error })
  }

  /** The server lost its place; both sides are told. */
  orphan(): void {
    const handlers = this.#ended ? undefined : this.#handlers
    this.detach(DETACHED)
    handlers?.onClosed({ cause: 'orphaned' })
  }

  #end(): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#credit = 0
    this.#onEnd()
    return true
  }
}
