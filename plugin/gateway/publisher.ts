// The publications of one MQTT client on their way to the host, sent as its user.
// Rule: nothing is buffered without bound: `ready` is false while the host gives no credit, and the bridge then stops reading.

import { AmqpError, CONDITIONS, rejectionOf } from '../errors.js'
import type { AmqpConnection, Message, Outcome, Sender } from '../host.js'
import type { ClientIdentity } from './client-subscriptions.js'
import type { GatewayParts } from './gateway-parts.js'

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
  readonly #parts: GatewayParts
  readonly #identity: ClientIdentity
  readonly #onReady: () => void
  #connection: AmqpConnection | undefined
  /** by topic; the relay is under '' */
  readonly #links = new Map<string, Link>()
  #attaching = false
  #waiting: Waiting[] = []
  #closed = false
  #rejectedBefore = false
  /** of QoS 0: the client cannot be told [MQTT3-3.3.5-2] */
  readonly #onUnawaited: OnOutcome = outcome => {
    if (outcome.type === 'rejected') this.#rejected(outcome)
  }

  /** `onReady`: `ready` became true again. */
  constructor(parts: GatewayParts, identity: ClientIdentity, onReady: () => void) {
    this.#parts = parts
    this.#identity = identity
    this.#onReady = onReady
  }

  get ready(): boolean {
    return this.#waiting.length === 0
  }

  /** `onOutcome` runs once, perhaps before this returns; `released` where the link was lost. Without one a rejection is counted. */
  publish(topic: string, message: Message, onOutcome?: OnOutcome): void {
    const key = this.#parts.space.capabilities.relay ? '' : topic
    const link = this.ready ? this.#links.get(key) : undefined
    if (link !== undefined && link.sender.credit > 0) {
      this.#send(link, message, onOutcome)
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
      this.#send(link, next.message, next.onOutcome)
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
      this.#connection ??= await this.#parts.space.connect(this.#identity.principal)
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
    for (const { onOutcome = this.#onUnawaited } of refused) onOutcome(outcome)
    if (this.#waiting.length === 0 && !this.#closed) this.#onReady()
  }

  #send({ sender, unsettled }: Link, message: Message, onOutcome: OnOutcome | undefined): void {
    if (onOutcome === undefined) {
      sender.send(message, this.#onUnawaited)
      return
    }
    const settled: OnOutcome = outcome => {
      if (unsettled.delete(settled)) onOutcome(outcome)
    }
    unsettled.add(settled)
    sender.send(message, settled)
  }

  /** The first of a client is worth a line; a client that goes on must not fill the log. */
  #rejected({ condition, description }: Outcome & { type: 'rejected' }): void {
    const { counters, log } = this.#parts
    const { clientId, principal } = this.#identity
    counters.rejected[0].add(1)
    if (this.#rejectedBefore) return
    this.#rejectedBefore = true
    log.warn(
      { clientId, user: principal.name, condition, description },
      'a QoS 0 publication was rejected by the host; more of this client are only counted'
    )
  }
}
