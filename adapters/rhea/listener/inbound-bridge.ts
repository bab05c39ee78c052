// From a client's sender to a sender of the core.
// Rule: the client's credit is what the core's sender can take, never more; each message goes on as the bytes that came, and its outcome
// back.

import type { LinkClosed, LinkError, Outcome, Sender } from '../../../plugin/host.js'
import { dedupIdOf } from '../dedup-annotation.js'
import type { InboundDelivery, InboundLink } from '../inbound-link.js'
import type { EncodedMessage } from '../message.js'
import { kindOf, type BridgeContext } from './bridge.js'

/** Credit of a client at most, whatever the core's sender can take. */
const WINDOW = 500

const REFUSALS: Readonly<Record<'targetless' | 'dynamic', LinkError>> = {
  targetless: { condition: 'amqp:invalid-field', description: 'a sender needs a target' },
  dynamic: { condition: 'amqp:not-implemented', description: 'targets are not made up; use a dynamic source' }
}

interface Waiting {
  readonly message: EncodedMessage
  readonly delivery: InboundDelivery | undefined
}

/** Opens a sender for the link's target and answers the attach. Never rejects. */
export async function bridgeInbound(link: InboundLink, context: BridgeContext): Promise<void> {
  const { name, address, dynamic, capabilities } = link.request
  if (link.targetless) return link.close(REFUSALS.targetless)
  if (dynamic) return link.close(REFUSALS.dynamic)
  const bridge = new InboundBridge(link)
  try {
    const sender = await context.connection.openSender({
      name,
      address,
      kind: kindOf(capabilities),
      onCredit: () => bridge.creditRose(),
      onClosed: ({ error }) => link.close(error),
      onDrain: () => bridge.drain()
    })
    if (link.closed) await sender.close(link.closedByClient?.error)
    else bridge.start(sender)
  } catch (error) {
    link.close(context.refusal(error))
  }
}

class InboundBridge {
  readonly #link: InboundLink
  /** what came before the core's sender had credit again */
  readonly #waiting: Waiting[] = []
  readonly #started: Promise<void>
  /** under way */
  #drains = 0
  #onStarted: () => void = () => undefined
  #sender: Sender | undefined

  constructor(link: InboundLink) {
    this.#link = link
    this.#started = new Promise(resolve => (this.#onStarted = resolve))
  }

  start(sender: Sender): void {
    this.#sender = sender
    this.#link.accept({
      onMessage: (message, delivery) => this.#receive({ message, delivery }),
      onAborted: () => this.#topUp(),
      onClosed: closed => this.#closed(closed)
    })
    this.#onStarted()
    this.#topUp()
  }

  creditRose(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) this.#send(next)
    this.#topUp()
  }

  #next(): Waiting | undefined {
    return (this.#sender?.credit ?? 0) > 0 ? this.#waiting.shift() : undefined
  }

  #receive(received: Waiting): void {
    if (this.#waiting.length === 0 && (this.#sender?.credit ?? 0) > 0) this.#send(received)
    else this.#waiting.push(received)
    this.#topUp()
  }

  #send({ message, delivery }: Waiting): void {
    const dedupId = dedupIdOf(message)
    const onOutcome = (outcome: Outcome): void => {
      if (delivery !== undefined) this.#link.settle(delivery, outcome)
      this.#topUp()
    }
    this.#sender?.send(message, onOutcome, dedupId && { dedupId })
  }

  /** Resolves when the client has sent all it has, or as much as the core takes. */
  async drain(): Promise<void> {
    await this.#started
    this.#drains++ // credit in between would ask again
    let more = true
    while (more) {
      const missing = this.#missing()
      if (missing > 0) this.#link.addCredit(missing)
      more = (await this.#link.drain()) && this.#missing() > 0
    }
    this.#drains--
    // the core takes back what it gave before this, and what it gave since stays
    setImmediate(() => this.#topUp())
  }

  /** In steps, so that not each message costs a flow. */
  #topUp(): void {
    if (this.#drains > 0) return
    const { credit } = this.#link
    const missing = this.#missing()
    if (missing > 0 && (credit === 0 || missing >= WINDOW / 4)) this.#link.addCredit(missing)
  }

  #missing(): number {
    const room = (this.#sender?.credit ?? 0) - this.#waiting.length
    return Math.min(WINDOW, room) - this.#link.credit
  }

  #closed({ cause, error }: LinkClosed): void {
    this.#waiting.length = 0
    if (cause !== 'lost') void this.#sender?.close(error) // else the core's connection ends them all
  }
}
