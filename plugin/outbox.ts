// Messages to one address whose outcomes somebody waits for: requests to a service, its replies and orders.
// Rule: every message has an answer in its time; the link is made when first needed, and made again after it was lost.

import { Backoff } from './backoff.js'
import { AmqpError, CONDITIONS, rejectionOf } from './errors.js'
import type { AmqpConnection, Message, Outcome, Sender } from './host.js'

const UNANSWERED: Outcome = { type: 'released' }

export interface OutboxOptions {
  /**
   * Where nobody is at the address, messages wait for somebody until their time is over; those without an outcome when the link
   * went are sent again, in their order: for requests that may be repeated. The link is made again at once, called for or not.
   */
  readonly persistent?: boolean
  /** The link was made again: sendFirst says what whoever is there now has to know. Only where persistent. */
  readonly onAttachedAgain?: (() => void) | undefined
}

interface Pending {
  readonly message: Message
  readonly answer: (outcome: Outcome) => void
  /** of this link alone: not sent over the next one */
  readonly first: boolean
  answered: boolean
}

/** ms between attempts to attach, until there is an outcome */
const MIN_DELAY_MS = 10
const MAX_DELAY_MS = 500

/** Why an address may be refused now and be there later. */
const PASSING: ReadonlySet<string> = new Set([
  CONDITIONS.notFound,
  CONDITIONS.connectionForced,
  CONDITIONS.detachForced
])

export class Outbox {
  readonly #connection: AmqpConnection
  readonly #address: string
  readonly #persistent: boolean
  readonly #onAttachedAgain: (() => void) | undefined
  #sender: Sender | undefined
  #state: 'idle' | 'delayed' | 'attaching' | 'attached' | 'closed' = 'idle'
  #firsts: Pending[] = []
  #waiting: Pending[] = []
  readonly #sent = new Set<Pending>()
  #wasAttached = false
  #refusal: Outcome = UNANSWERED
  readonly #backoff = new Backoff(MIN_DELAY_MS, MAX_DELAY_MS)
  #delay: NodeJS.Timeout | undefined

  constructor(
    connection: AmqpConnection,
    address: string,
    { persistent = false, onAttachedAgain }: OutboxOptions = {}
  ) {
    this.#connection = connection
    this.#address = address
    this.#persistent = persistent
    this.#onAttachedAgain = onAttachedAgain
  }

  /** What is sent now goes to whoever was told what sendFirst says. */
  get attached(): boolean {
    return this.#state === 'attached'
  }

  /** Resolves with the outcome: `released` where none came in `timeoutMs` or the link was lost, `rejected` where the link was refused. */
  send(message: Message, timeoutMs: number): Promise<Outcome> {
    if (this.#state === 'closed') return Promise.resolve(UNANSWERED)
    return new Promise(resolve => {
      const pending = this.#pending(message, false, outcome => {
        clearTimeout(timer)
        resolve(outcome)
      })
      const timer = setTimeout(() => pending.answer(this.#refusal), timeoutMs)
      this.#waiting.push(pending)
      this.#flush()
    })
  }

  /** Before everything that waits, and over this link alone: `released` when that is lost. */
  sendFirst(message: Message): Promise<Outcome> {
    if (this.#state === 'closed') return Promise.resolve(UNANSWERED)
    return new Promise(resolve => {
      this.#firsts.push(this.#pending(message, true, resolve))
      this.#flush()
    })
  }

  async close(): Promise<void> {
    const sender = this.#sender
    this.#state = 'closed'
    clearTimeout(this.#delay)
    this.#sender = undefined
    this.#fail(UNANSWERED)
    await sender?.close()
  }

  #pending(message: Message, first: boolean, resolve: (outcome: Outcome) => void): Pending {
    const answer = (outcome: Outcome): void => {
      if (pending.answered) return
      pending.answered = true
      this.#sent.delete(pending)
      resolve(outcome)
    }
    const pending: Pending = { message, answer, first, answered: false }
    return pending
  }

  #flush(): void {
    const sender = this.#sender
    if (sender === undefined) {
      if (this.#state === 'idle') void this.#attach()
      return
    }
    while (sender.credit > 0) {
      const next = this.#firsts.shift() ?? this.#waiting.shift()
      if (next === undefined) return
      if (next.answered) continue // its time is over
      this.#sent.add(next)
      sender.send(next.message, outcome => {
        this.#backoff.reset()
        next.answer(outcome)
      })
    }
  }

  async #attach(): Promise<void> {
    this.#state = 'attaching'
    let lost = false
    const onClosed = (): void => {
      lost = true
      this.#lost()
    }
    try {
      const sender = await this.#connection.openSender({
        address: this.#address,
        onCredit: () => this.#flush(),
        onClosed
      })
      if (lost) return
      if (this.#isClosed()) return void sender.close()
      this.#attached(sender)
    } catch (error) {
      if (!this.#isClosed()) this.#refused(error)
    }
  }

  #attached(sender: Sender): void {
    this.#state = 'attached'
    this.#refusal = UNANSWERED
    const again = this.#wasAttached
    this.#wasAttached = true
    if (again) this.#onAttachedAgain?.()
    this.#sender = sender
    this.#flush()
  }

  #refused(error: unknown): void {
    const refusal = rejectionOf(error)
    if (this.#persistent && error instanceof AmqpError && PASSING.has(error.condition)) {
      this.#refusal = refusal
      this.#attachLater()
    } else {
      this.#state = 'idle'
      this.#fail(refusal)
    }
  }

  #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #lost(): void {
    if (this.#state === 'closed') return
    this.#sender = undefined
    if (!this.#persistent) {
      this.#state = 'idle'
      this.#fail(UNANSWERED)
      return
    }
    const [over, again] = [
      [...this.#sent, ...this.#firsts].filter(({ first }) => first),
      [...this.#sent].filter(({ first }) => !first)
    ]
    this.#firsts = []
    this.#sent.clear()
    this.#waiting = [...again, ...this.#waiting]
    for (const { answer } of over) answer(UNANSWERED)
    this.#attachLater()
  }

  #attachLater(): void {
    this.#waiting = this.#waiting.filter(({ answered }) => !answered)
    if (this.#waiting.length === 0 && !this.#wasAttached) {
      this.#state = 'idle'
      return
    }
    this.#state = 'delayed'
    this.#delay = setTimeout(() => void this.#attach(), this.#backoff.next())
  }

  #fail(outcome: Outcome): void {
    const pending = [...this.#sent, ...this.#firsts.splice(0), ...this.#waiting.splice(0)]
    for (const { answer } of pending) answer(outcome)
  }
}
