// The publications of one MQTT client on their way to the host, sent as its user.
// Rule: nothing is buffered without bound: `ready` is false while the host gives no credit, and the bridge then stops reading.

import { AmqpError, CONDITIONS, rejectionOf } from '../errors.js'
import type { AddressSpace, AmqpConnection, Message, Outcome, Principal, Sender } from '../host.js'

type OnOutcome = (outcome: Outcome) => void

interface Waiting {
  readonly key: string
  readonly message: Message
  readonly onOutcome: OnOutcome | undefined
}

/** A sender with the publications that have no outcome yet. */
interface Link {
  readonly sender: Sender
  readonly unsettled: Set<OnOutcome>
}

const RELEASED: Outcome = { type: 'released' }
/** Senders per client where the host has no relay; more only while all are in use. */
const MAX_LINKS = 50

export class Publisher {
  readonly #space: AddressSpace
  readonly #principal: Principal
  readonly #onReady: () => void
  #connection: AmqpConnection | undefined
  /** by topic; the relay is under '' */
  readonly #links = new Map<string, Link>()
  #attaching = false
  #waiting: Waiting[] = []
  #closed = false

  /** `onReady`: `ready` became true again. */
  constructor(space: AddressSpace, principal: Principal, onReady: () => void) {
    this.#space = space
    this.#principal = principal
    this.#onReady = onReady
  }

  get ready(): boolean {
    return this.#waiting.length === 0
  }

  /** `onOutcome` runs once, perhaps before this returns; `released` where the link was lost. */
  publish(topic: string, message: Message, onOutcome?: OnOutcome): void {
    const key = this.#space.capabilities.relay ? '' : topic
    const link = this.ready ? this.#links.get(key) : undefined
    if (link !== undefined && link.sender.credit > 0) {
      send(link, message, onOutcome)
      return
    }
    this.#waiting.push({ key, message, onOutcome })
    this.#flush()
  }

  /** Publications without an outcome have none. */
  async close(): Promise<void> {
    this.#closed = true
    this.#waiting = []
    this.#links.clear()
    await this.#connection?.close()
  }

  #flush(): void {
    let next = this.#waiting[0]
    if (next === undefined) return
    while (next !== undefined) {
      const link = this.#links.get(next.key)
      if (link === undefined) {
        void this.#attach(next.key)
        return
      }
      if (link.sender.credit === 0) return
      this.#waiting.shift()
      send(link, next.message, next.onOutcome)
      next = this.#waiting[0]
    }
    this.#onReady()
  }

  async #attach(key: string): Promise<void> {
    if (this.#attaching || this.#closed) return
    this.#attaching = true
    const unsettled = new Set<OnOutcome>()
    let lost = false
    const onClosed = (): void => {
      lost = true
      this.#links.delete(key)
      for (const settled of [...unsettled]) settled(RELEASED)
    }
    try {
      this.#connection ??= await this.#space.connect(this.#principal)
      await this.#makeRoom()
      const address = key === '' ? undefined : key
      const sender = await this.#connection.openSender({ address, onCredit: () => this.#flush(), onClosed })
      this.#attaching = false
      if (this.#closed) await this.#connection.close()
      else if (lost) this.#refuse(key, RELEASED)
      else this.#links.set(key, { sender, unsettled })
    } catch (error) {
      this.#attaching = false
      this.#refuse(key, this.#outcomeOf(error))
    }
    if (!this.#closed) this.#flush()
  }

  /** A connection that is gone is made again: what waited for it may be tried once more. */
  #outcomeOf(error: unknown): Outcome {
    if (!(error instanceof AmqpError) || error.condition !== CONDITIONS.connectionForced)
      return rejectionOf(error)
    this.#connection = undefined
    return RELEASED
  }

  /** The oldest link that waits for nothing goes where there are too many. */
  async #makeRoom(): Promise<void> {
    if (this.#links.size < MAX_LINKS) return
    for (const [key, { sender, unsettled }] of this.#links) {
      if (unsettled.size > 0) continue
      this.#links.delete(key)
      return sender.close()
    }
  }

  /** What waited for this link has its outcome. */
  #refuse(key: string, outcome: Outcome): void {
    const refused = this.#waiting.filter(waiting => waiting.key === key)
    this.#waiting = this.#waiting.filter(waiting => waiting.key !== key)
    for (const { onOutcome } of refused) onOutcome?.(outcome)
    if (this.#waiting.length === 0 && !this.#closed) this.#onReady()
  }
}

function send({ sender, unsettled }: Link, message: Message, onOutcome: OnOutcome | undefined): void {
  if (onOutcome === undefined) {
    sender.send(message)
    return
  }
  const settled: OnOutcome = outcome => {
    if (unsettled.delete(settled)) onOutcome(outcome)
  }
  unsettled.add(settled)
  sender.send(message, settled)
}
