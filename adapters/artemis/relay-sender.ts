// A sender without an address: `to` of each message says where it goes.
// Rule: topics go over a link of the user's, whose rights the broker asks for each message; queues go over one of the plugin's after
// this side has asked. A queue's message over the link for topics would be accepted, and lost.

import { CONDITIONS } from '../../plugin/errors.js'
import type { LinkClosed, LinkError, Message, Outcome, Sender, SendOptions } from '../../plugin/host.js'

type OnOutcome = ((outcome: Outcome) => void) | undefined

interface RelayParts {
  readonly topics: Sender
  /** where `to` leads; a rejection for what leads nowhere */
  readonly resolve: (to: string | undefined) => 'topic' | 'queue' | LinkError | Promise<'queue' | LinkError>
  /** opens the link to queues */
  readonly queues: (onCredit: () => void, onClosed: (closed: LinkClosed) => void) => Promise<Sender>
  /** The link to queues is gone, and with it the fate of what was sent over it. */
  readonly onClosed: (closed: LinkClosed) => void
}

interface Waiting {
  readonly message: Message
  readonly onOutcome: OnOutcome
  readonly options: SendOptions | undefined
}

const rejected = ({ condition, description }: LinkError): Outcome => ({
  type: 'rejected',
  condition,
  description
})

export class RelaySender implements Sender {
  readonly name: string
  readonly #parts: RelayParts
  readonly #waiting: Waiting[] = []
  #queues: Promise<Sender> | undefined
  #opened: Sender | undefined
  #asking = 0
  #closed = false

  constructor(parts: RelayParts) {
    this.name = parts.topics.name
    this.#parts = parts
  }

  get credit(): number {
    return this.#closed ? 0 : Math.max(0, this.#parts.topics.credit - this.#waiting.length - this.#asking)
  }

  send(message: Message, onOutcome?: (outcome: Outcome) => void, options?: SendOptions): void {
    if (this.credit <= 0) throw new RangeError('no credit to send to the relay')
    const told: OnOutcome = onOutcome && (outcome => (this.#closed ? undefined : onOutcome(outcome)))
    const way = this.#parts.resolve(message.properties.to)
    if (way === 'topic') this.#parts.topics.send(message, told, options)
    else if (way === 'queue') this.#enqueue({ message, onOutcome: told, options })
    else if (way instanceof Promise) void this.#ask(way, { message, onOutcome: told, options })
    else told?.(rejected(way))
  }

  async close(error?: LinkError): Promise<void> {
    const queues = await this.#queues?.catch(() => undefined)
    this.#flush()
    await Promise.all([this.#parts.topics.close(error), queues?.close(error)])
    this.#closed = true
  }

  async #ask(way: Promise<'queue' | LinkError>, waiting: Waiting): Promise<void> {
    this.#asking++
    const answer = await way.catch((error: unknown) => ({
      condition: CONDITIONS.internalError,
      description: String(error)
    }))
    this.#asking--
    if (answer === 'queue') this.#enqueue(waiting)
    else waiting.onOutcome?.(rejected(answer))
  }

  #enqueue(waiting: Waiting): void {
    this.#waiting.push(waiting)
    if (this.#queues === undefined) void this.#open()
    this.#flush()
  }

  async #open(): Promise<void> {
    this.#queues = this.#parts.queues(
      () => this.#flush(),
      closed => this.#lost(closed)
    )
    try {
      this.#opened = await this.#queues
      this.#flush()
    } catch (error) {
      this.#queues = undefined
      const description = error instanceof Error ? error.message : String(error)
      const outcome = rejected({ condition: CONDITIONS.connectionForced, description })
      for (const { onOutcome } of this.#waiting.splice(0)) onOutcome?.(outcome)
    }
  }

  #lost(closed: LinkClosed): void {
    if (this.#closed) return
    this.#closed = true
    this.#waiting.length = 0
    void this.#parts.topics.close()
    this.#parts.onClosed(closed)
  }

  #flush(): void {
    const sender = this.#opened
    while (sender !== undefined && sender.credit > 0) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      sender.send(next.message, next.onOutcome, next.options)
    }
  }
}
