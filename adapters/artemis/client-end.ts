// What a client's links to served addresses share: how they attach, and how they end.
// Rule: the link is there when the server has taken it; it is told once that it ended, and not when this side wished it.

import { randomUUID } from 'node:crypto'
import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { LinkClosed, LinkError } from '../../plugin/host.js'
import type { Frame } from './link-frames.js'
import { LOST, SERVER_GONE, type LinkWire, type WireLink } from './link-wire.js'
import type { ArtemisPrincipal } from './users.js'

export interface Attaching {
  readonly wire: LinkWire
  /** where the server is asked for links */
  readonly queue: string
  readonly address: string
  readonly user: ArtemisPrincipal | undefined
}

interface ClientEndOptions extends Attaching {
  readonly onFrame: (frame: Frame) => void
  readonly onClosed: (closed: LinkClosed) => void
}

/** For the server to answer, ms. */
const ANSWER_MS = 10_000

export class ClientEnd implements WireLink {
  readonly #options: ClientEndOptions
  readonly #id = randomUUID()
  #phase: 'attaching' | 'open' | 'closing' | 'ended' = 'attaching'
  #peer = ''
  #unwatch: () => void = () => undefined
  #resolve: (window: number) => void = () => undefined
  #reject: (error: AmqpError) => void = () => undefined
  #onEnded: () => void = () => undefined
  readonly #ended: Promise<void>

  constructor(options: ClientEndOptions) {
    this.#options = options
    this.#ended = new Promise(resolve => (this.#onEnded = resolve))
  }

  get open(): boolean {
    return this.#phase === 'open'
  }

  /** Resolves with the server's window. */
  attach(kind: 'sender' | 'reader', name: string): Promise<number> {
    const { wire, queue, address, user } = this.#options
    return new Promise<number>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#refused({
          condition: CONDITIONS.connectionForced,
          description: `no answer from who serves ${address}`
        })
      }, ANSWER_MS)
      this.#resolve = window => {
        clearTimeout(timer)
        resolve(window)
      }
      this.#reject = error => {
        clearTimeout(timer)
        reject(error)
      }
      wire.add(this.#id, this)
      const frame = { type: 'attach', kind, name, address, user: user?.name, inbox: wire.inbox } as const
      wire.send(this.#id, queue, frame, ({ type }) => {
        if (type !== 'accepted') {
          this.#refused({ condition: CONDITIONS.notFound, description: `nobody serves ${address}` })
        }
      })
    })
  }

  send(frame: Frame): void {
    if (this.#phase === 'open') this.#options.wire.send(this.#id, this.#peer, frame)
  }

  /** Detaches; resolves when the server knows, or is gone, or does not say. */
  async close(error: LinkError | undefined): Promise<void> {
    if (this.#phase === 'open') {
      this.#phase = 'closing'
      this.#options.wire.send(this.#id, this.#peer, { type: 'detach', error })
      const timer = setTimeout(() => this.#end({ cause: 'clean' }), ANSWER_MS)
      void this.#ended.then(() => clearTimeout(timer))
    }
    await this.#ended
  }

  onFrame(frame: Frame): void {
    switch (frame.type) {
      case 'attached':
        if (this.#phase !== 'attaching') return
        this.#phase = 'open'
        this.#peer = frame.inbox
        this.#unwatch = this.#options.wire.watch.watch(frame.inbox, () =>
          this.#end({ cause: 'error', error: SERVER_GONE })
        )
        return this.#resolve(frame.window)
      case 'refused':
        return this.#refused(frame.error)
      case 'detach':
        return this.#end(
          frame.error === undefined ? { cause: 'clean' } : { cause: 'error', error: frame.error }
        )
      case 'detached':
        return this.#end({ cause: 'clean' })
      case 'ask':
        return void this.#answer(frame)
      default:
        if (this.#phase === 'open') this.#options.onFrame(frame)
    }
  }

  onLost(): void {
    this.#reject(LOST)
    this.#end({ cause: 'lost', error: { condition: LOST.condition, description: LOST.description } })
  }

  #refused({ condition, description }: LinkError): void {
    if (this.#phase !== 'attaching') return
    this.#end({ cause: 'clean' })
    this.#reject(new AmqpError(condition, description))
  }

  /** The server asks what the link's user may do. */
  async #answer({ question, right, value }: Extract<Frame, { type: 'ask' }>): Promise<void> {
    const { user } = this.#options
    const ask = { send: 'maySend', receive: 'mayReceive', use: 'mayUse' } as const
    const may = user === undefined || (await Promise.resolve(user[ask[right]](value)).catch(() => false))
    this.send({ type: 'answer', question, may })
  }

  #end(closed: LinkClosed): void {
    if (this.#phase === 'ended') return
    const told = this.#phase === 'open'
    this.#phase = 'ended'
    this.#unwatch()
    this.#options.wire.remove(this.#id)
    if (told) this.#options.onClosed(closed)
    this.#onEnded()
  }
}
