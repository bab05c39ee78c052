// Messages to one address whose outcomes somebody waits for: requests to a service, and its replies.
// Rule: every message has an answer in its time; the link is made when first needed, and made again after it was lost.

import { rejectionOf } from './errors.js'
import type { AmqpConnection, Message, Outcome, Sender } from './host.js'

const UNANSWERED: Outcome = { type: 'released' }

interface Pending {
  readonly message: Message
  readonly answer: (outcome: Outcome) => void
  answered: boolean
}

export class Outbox {
  readonly #connection: AmqpConnection
  readonly #address: string
  #sender: Sender | undefined
  #state: 'idle' | 'attaching' | 'attached' | 'closed' = 'idle'
  #waiting: Pending[] = []
  readonly #sent = new Set<Pending>()

  constructor(connection: AmqpConnection, address: string) {
    this.#connection = connection
    this.#address = address
  }

  /** Resolves with the outcome: `released` where none came in `timeoutMs` or the link was lost, `rejected` where the link was refused. */
  send(message: Message, timeoutMs: number): Promise<Outcome> {
    if (this.#state === 'closed') return Promise.resolve(UNANSWERED)
    return new Promise(resolve => {
      const answer = (outcome: Outcome): void => {
        if (pending.answered) return
        pending.answered = true
        clearTimeout(timer)
        this.#sent.delete(pending)
        resolve(outcome)
      }
      const pending: Pending = { message, answer, answered: false }
      const timer = setTimeout(answer, timeoutMs, UNANSWERED)
      this.#waiting.push(pending)
      this.#flush()
    })
  }

  async close(): Promise<void> {
    const sender = this.#sender
    this.#state = 'closed'
    this.#sender = undefined
    this.#fail(UNANSWERED)
    await sender?.close()
  }

  #flush(): void {
    const sender = this.#sender
    if (sender === undefined) {
      if (this.#state === 'idle') void this.#attach()
      return
    }
    while (sender.credit > 0) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      if (next.answered) continue // its time is over
      this.#sent.add(next)
      sender.send(next.message, next.answer)
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
      this.#sender = sender
      this.#state = 'attached'
      this.#flush()
    } catch (error) {
      if (this.#isClosed()) return
      this.#state = 'idle'
      this.#fail(rejectionOf(error))
    }
  }

  #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #lost(): void {
    if (this.#state === 'closed') return
    this.#state = 'idle'
    this.#sender = undefined
    this.#fail(UNANSWERED)
  }

  #fail(outcome: Outcome): void {
    const pending = [...this.#sent, ...this.#waiting.splice(0)]
    for (const { answer } of pending) answer(outcome)
  }
}
