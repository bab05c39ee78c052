// A sender whose messages wait for credit: copies of retained messages on their way to one address.
// Rule: few messages are without an outcome, and one that found the address full is sent again later; nothing else is kept here.

import { Backoff } from '../backoff.js'
import { AmqpError, CONDITIONS } from '../errors.js'
import type { AmqpConnection, Message, Outcome, Sender } from '../host.js'

/** ms before messages are sent again to an address that is full */
const MIN_DELAY_MS = 10
const MAX_DELAY_MS = 1000

/** One for all: each SUBSCRIBE closes a link, and mostly nobody waits for it. */
const CLOSED = new AmqpError(CONDITIONS.detachForced, 'the link was closed')

/** Mostly nobody has to wait. */
const HOLDS = Promise.resolve(true)

export class PacedSender {
  /** messages without an outcome, at most */
  readonly #window: number
  /** what found the address full is not sent again where this says no */
  readonly #isWanted: (message: Message) => boolean
  #sender: Sender | undefined
  #unsettled = 0
  /** found the address full */
  readonly #refused: Message[] = []
  readonly #backoff = new Backoff(MIN_DELAY_MS, MAX_DELAY_MS)
  #delay: NodeJS.Timeout | undefined
  #failure: Error | undefined
  #wake: (() => void) | undefined

  private constructor(window: number, isWanted: (message: Message) => boolean) {
    this.#window = window
    this.#isWanted = isWanted
  }

  /** Attaches to a queue or reply node. Rejects with AmqpError. */
  static async open(
    connection: AmqpConnection,
    address: string,
    window: number,
    isWanted: (message: Message) => boolean = () => true
  ): Promise<PacedSender> {
    const paced = new PacedSender(window, isWanted)
    paced.#sender = await connection.openSender({
      address,
      kind: 'queue',
      onCredit: () => paced.#changed(),
      onClosed: ({ error }) =>
        paced.fail(
          new AmqpError(
            error?.condition ?? CONDITIONS.detachForced,
            error?.description ?? `${address} is gone`
          )
        )
    })
    return paced
  }

  /** Resolves when a message may be sent; with false where that takes longer than `timeoutMs`. Rejects where the link is over. */
  ready(timeoutMs?: number): Promise<boolean> {
    return this.#until(() => this.#isReady, timeoutMs)
  }

  /** Only when ready. */
  send(message: Message): void {
    this.#unsettled += 1
    this.#sender?.send(message, outcome => this.#onOutcome(message, outcome))
  }

  /** Resolves when all that was sent is accepted. Rejects where the link is over. */
  flushed(): Promise<unknown> {
    return this.#until(() => this.#unsettled === 0 && this.#refused.length === 0)
  }

  /** Whoever waits is told, and nothing more is sent. */
  fail(error: Error): void {
    this.#failure ??= error
    clearTimeout(this.#delay)
    this.#changed()
  }

  async close(): Promise<void> {
    this.fail(CLOSED)
    await this.#sender?.close()
  }

  get #isReady(): boolean {
    return this.#unsettled < this.#window && this.#refused.length === 0 && (this.#sender?.credit ?? 0) > 0
  }

  #onOutcome(message: Message, outcome: Outcome): void {
    this.#unsettled -= 1
    if (outcome.type === 'accepted') this.#backoff.reset()
    else if (outcome.type === 'rejected' && outcome.condition === CONDITIONS.resourceLimit) {
      this.#refused.push(message)
      if (this.#failure === undefined)
        this.#delay ??= setTimeout(() => this.#sendAgain(), this.#backoff.next())
    } else if (outcome.type === 'rejected') this.fail(new AmqpError(outcome.condition, outcome.description))
    else this.fail(new AmqpError(CONDITIONS.notFound, `a message was ${outcome.type}`))
    this.#changed()
  }

  #sendAgain(): void {
    this.#delay = undefined
    const again = this.#refused.splice(0).filter(this.#isWanted)
    while (again.length > 0 && (this.#sender?.credit ?? 0) > 0) {
      const message = again.shift()
      if (message !== undefined) this.send(message)
    }
    this.#refused.push(...again)
    if (again.length > 0 && this.#failure === undefined)
      this.#delay ??= setTimeout(() => this.#sendAgain(), this.#backoff.next())
    this.#changed()
  }

  #changed(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  #until(holds: () => boolean, timeoutMs?: number): Promise<boolean> {
    return this.#failure === undefined && holds() ? HOLDS : this.#wait(holds, timeoutMs)
  }

  async #wait(holds: () => boolean, timeoutMs: number | undefined): Promise<boolean> {
    let late = false
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            late = true
            this.#changed()
          }, timeoutMs)
    while (this.#failure === undefined && !late && !holds())
      await new Promise<void>(resolve => (this.#wake = resolve))
    clearTimeout(timer)
    if (this.#failure !== undefined) throw this.#failure
    return holds()
  }
}
