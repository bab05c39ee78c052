// The client's end of a link on which a server sends.
// Rule: what is sent goes straight to the client, and its outcome straight back; the client's credit is all that may be without one.
// The server is asked for more once, however deep it is in a send: a client that settles at once costs no call stack.

import { randomUUID } from 'node:crypto'
import { AmqpError } from '../../../plugin/errors.js'
import type { LinkClosed, LinkError, Message, Outcome, Receiver, ServedReader } from '../../../plugin/host.js'
import type { CoreReceiverOptions, Identity } from '../listener/bridge.js'
import { closedBy } from './link-lost.js'
import type { OnReader } from './served-readers.js'

type Handlers = Parameters<ServedReader['accept']>[0]

const REFUSED: LinkError = { condition: 'amqp:not-allowed', description: 'the server did not take the link' }

export class ReaderLink implements Receiver {
  readonly name: string
  readonly address: string
  readonly #options: CoreReceiverOptions
  readonly #user: Identity
  readonly #onEnd: () => void
  readonly #drains = new Set<() => void>()
  #handlers: Handlers | undefined
  #refusal: LinkError | undefined
  /** how the client went before the server had decided */
  #left: LinkClosed | undefined
  #opened = false
  #started = false
  #ended = false
  #credit = 0
  /** in a call of the server's, or by it */
  #busy = false
  #rose = false

  constructor(address: string, options: CoreReceiverOptions, user: Identity, onEnd: () => void) {
    this.name = options.name ?? `receiver-${randomUUID()}`
    this.address = address
    this.#options = options
    this.#user = user
    this.#onEnd = onEnd
  }

  /** Throws AmqpError where the server does not take the link, or rejects with it where the server decides later. */
  offerTo(onReader: OnReader): Promise<void> | undefined {
    const deciding = onReader(this.#offered())
    if (deciding instanceof Promise) return deciding.then(() => this.#decided())
    this.#decided()
    return undefined
  }

  addCredit(credit: number): void {
    if (this.#ended) return
    const before = this.#credit
    this.#credit = Math.max(0, before + credit)
    if (this.#credit === 0) this.#drained()
    if (before === 0 && this.#credit > 0) this.#tell()
  }

  async drain(): Promise<void> {
    this.#start()
    const asked = this.#handlers?.onDrain
    if (this.#ended || this.#credit === 0) return
    if (asked !== undefined) await this.#sent(asked)
    this.#credit = 0
  }

  async close(error?: LinkError): Promise<void> {
    this.leave(closedBy(error))
  }

  /** The client went; the server is told. */
  leave(closed: LinkClosed): void {
    if (!this.#end()) return
    if (this.#handlers === undefined) this.#left = closed
    else this.#handlers.onClosed(closed)
    if (closed.cause === 'lost') this.#options.onClosed?.(closed)
  }

  /** The server went, or does not take the link; the client is told. */
  detach(error?: LinkError): void {
    if (!this.#end()) return
    this.#refusal = error
    if (!this.#opened) return
    this.#options.onClosed?.(error === undefined ? { cause: 'clean' } : { cause: 'error', error })
  }

  /** The server lost its place; both sides are told. */
  orphan(error: LinkError): void {
    const handlers = this.#ended ? undefined : this.#handlers
    this.detach(error)
    handlers?.onClosed({ cause: 'orphaned' })
  }

  #offered(): ServedReader {
    const credit = (): number => this.#credit
    return {
      name: this.name,
      address: this.address,
      user: this.#user,
      get credit() {
        return credit()
      },
      accept: handlers => this.#accept(handlers),
      send: (message, onOutcome) => this.#send(message, onOutcome),
      close: error => {
        this.#left = undefined
        this.detach(error)
      }
    }
  }

  #accept(handlers: Handlers): void {
    this.#handlers ??= handlers
    if (this.#left !== undefined) setImmediate(() => this.#tellLeft())
  }

  #tellLeft(): void {
    if (this.#left !== undefined) this.#handlers?.onClosed(this.#left)
  }

  #decided(): void {
    if (this.#handlers === undefined) this.detach(REFUSED)
    const { condition, description } = this.#refusal ?? REFUSED
    if (this.#ended) throw new AmqpError(condition, description)
    this.#opened = true
    // not before the client has the link
    setImmediate(() => this.#start())
  }

  #start(): void {
    if (!this.#started) this.addCredit(this.#options.window)
    this.#started = true
  }

  #send(message: Message, onOutcome: ((outcome: Outcome) => void) | undefined): void {
    if (this.#credit <= 0) throw new RangeError(`no credit to send from ${this.address}`)
    this.#credit--
    this.#guarded(() => {
      try {
        this.#deliver(message, onOutcome)
      } catch (error) {
        this.#credit++ // a message that has no encoding was not sent
        throw error
      }
    })
    if (this.#credit === 0) this.#drained()
  }

  #deliver(message: Message, onOutcome: ((outcome: Outcome) => void) | undefined): void {
    let settled = false
    const settle = (outcome: Outcome): void => {
      if (settled || this.#ended) return
      settled = true
      this.#guarded(() => {
        if (this.#options.window > 0) this.addCredit(1)
        onOutcome?.(outcome)
      })
    }
    const { deliveryCount, ttlMs } = message
    this.#options.onDelivery({ message, id: undefined, deliveryCount, remainingMs: () => ttlMs, settle })
  }

  /** Credit rose from 0. */
  #tell(): void {
    this.#rose = true
    this.#guarded(() => undefined)
  }

  /** Runs `act`, and then, where no other call is under way, tells the server of credit that rose meanwhile. */
  #guarded(act: () => void): void {
    if (this.#busy) return act()
    this.#busy = true
    try {
      act()
      while (this.#rose) {
        this.#rose = false
        if (this.#credit > 0) this.#handlers?.onCredit()
      }
    } finally {
      this.#busy = false
    }
  }

  /** Resolves when the server says that it has sent all, or cannot send more. */
  #sent(asked: () => Promise<void>): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        this.#drains.delete(done)
        resolve()
      }
      this.#drains.add(done)
      asked().then(done, done)
    })
  }

  #drained(): void {
    for (const done of [...this.#drains]) done()
  }

  #end(): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#credit = 0
    this.#drained()
    this.#onEnd()
    return true
  }
}
