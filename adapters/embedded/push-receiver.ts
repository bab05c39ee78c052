// A receiver of the core whose messages are handed to it one by one, with no queue behind it.
// Rule: in order, within its credit; whoever pushes bounds what waits. An end comes after what was pushed before it.

import type { LinkClosed, LinkError, Message, Outcome, Receiver } from '../../plugin/host.js'
import type { CoreReceiverOptions } from '../rhea/listener/bridge.js'

export interface PushOptions {
  readonly name: string
  readonly address: string
  readonly link: CoreReceiverOptions
  /** The client's side ended: detached, with an error or without, or lost. Not after end(). */
  readonly onLeft: (closed: LinkClosed) => void
}

interface Pushed {
  readonly message: Message
  readonly onOutcome: (outcome: Outcome) => void
}

export class PushReceiver implements Receiver {
  readonly name: string
  readonly address: string
  readonly #options: PushOptions
  readonly #waiting: Pushed[] = []
  #credit = 0
  #open = true
  #ending: LinkClosed | undefined

  constructor(options: PushOptions) {
    this.name = options.name
    this.address = options.address
    this.#options = options
    this.#credit = options.link.window
  }

  push(message: Message, onOutcome: (outcome: Outcome) => void): void {
    if (!this.#open || this.#ending !== undefined) return
    this.#waiting.push({ message, onOutcome })
    this.#run()
  }

  /** The receiver ends when it has got what was pushed. */
  end(closed: LinkClosed): void {
    this.#ending ??= closed
    this.#run()
  }

  addCredit(credit: number): void {
    this.#credit = Math.max(0, this.#credit + credit)
    this.#run()
  }

  async drain(): Promise<void> {
    this.#run()
    this.#credit = 0
  }

  async close(error?: LinkError): Promise<void> {
    this.leave(error === undefined ? { cause: 'clean' } : { cause: 'error', error })
  }

  /** The client's side goes. */
  leave(closed: LinkClosed): void {
    if (!this.#open) return
    this.#open = false
    this.#waiting.length = 0
    if (this.#ending === undefined) this.#options.onLeft(closed)
  }

  #run(): void {
    while (this.#open && this.#credit > 0) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      this.#credit--
      this.#deliver(next)
    }
    if (this.#open && this.#ending !== undefined && this.#waiting.length === 0) {
      this.#open = false
      this.#options.link.onClosed?.(this.#ending)
    }
  }

  #deliver({ message, onOutcome }: Pushed): void {
    let settled = false
    this.#options.link.onDelivery({
      message,
      id: undefined,
      deliveryCount: message.deliveryCount,
      remainingMs: () => message.ttlMs,
      settle: outcome => {
        if (settled || !this.#open) return
        settled = true
        if (this.#options.link.window > 0) this.#credit++
        onOutcome(outcome)
        this.#run()
      }
    })
  }
}
