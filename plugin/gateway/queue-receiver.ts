// The exclusive link to a durable session's queue, while its client is connected here.
// Rule: it gets no credit before its owner says that this connection has the session; the credit is the client's receive maximum,
// and comes back when a delivery is settled. A link that was lost is made again, and then it is asked again who has the session.

import { Backoff } from '../backoff.js'
import { AmqpError, BridgeError, CONDITIONS } from '../errors.js'
import type {
  AddressSpace,
  AmqpConnection,
  Delivery,
  LinkClosed,
  Logger,
  Outcome,
  Receiver
} from '../host.js'

/** ms between attempts to attach again */
const MIN_DELAY_MS = 20
const MAX_DELAY_MS = 2000

export interface QueueReceiverOptions {
  readonly space: Pick<AddressSpace, 'connect'>
  readonly address: string
  /** unsettled deliveries at once */
  readonly window: () => number
  /** how long it may be without a link */
  readonly graceMs: () => number
  /** The link is there, and was not at the first attempt if `again`: resolves when deliveries may come. */
  readonly onAttached: (connection: AmqpConnection, again: boolean) => Promise<void>
  /** `settle` in place of the delivery's own. */
  readonly onDelivery: (delivery: Delivery, settle: (outcome: Outcome) => void) => void
  /** The link was lost, and what was not settled went back. */
  readonly onLost: () => void
  /** There is no link any more: BridgeError, or a bug. */
  readonly onEnded: (error: unknown) => void
  readonly log: Logger
}

export class QueueReceiver {
  readonly #options: QueueReceiverOptions
  #connection: AmqpConnection | undefined
  #receiver: Receiver | undefined
  /** credit that was given, and not used, and deliveries that were not settled */
  #outstanding = 0
  #attaching: Promise<void> | undefined
  #delay: NodeJS.Timeout | undefined
  readonly #backoff = new Backoff(MIN_DELAY_MS, MAX_DELAY_MS)
  #attempts = 0
  /** ms of performance.now(); undefined: it is attached, or attaches for the first time */
  #lostAt: number | undefined
  #closed = false

  constructor(options: QueueReceiverOptions) {
    this.#options = options
  }

  /** The link is there, as far as is known. */
  get attached(): boolean {
    return this.#receiver !== undefined
  }

  /** Attaches; what comes of it is told to the options. */
  open(): void {
    if (this.#closed) return
    this.#attaching = this.#attach().catch((error: unknown) => this.#refused(error))
  }

  /** The window has changed. */
  topUp(): void {
    if (this.#receiver === undefined || this.#closed) return
    const credit = this.#options.window() - this.#outstanding
    if (credit <= 0) return
    this.#outstanding += credit
    this.#receiver.addCredit(credit)
  }

  /** No more comes; resolves when the link, if there is one, is as it stays until close(). */
  async stop(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#delay)
    await this.#attaching
  }

  /** What is not settled goes back. */
  async close(): Promise<void> {
    await this.stop()
    await this.#receiver?.close()
    await this.#connection?.close()
  }

  async #attach(): Promise<void> {
    const again = this.#attempts++ > 0
    const { space, address, onAttached, onDelivery } = this.#options
    let lost: LinkClosed | undefined
    const connection = (this.#connection ??= await space.connect('service'))
    const receiver = await connection.openReceiver({
      ...{ address, kind: 'queue', window: 0, exclusive: true },
      onDelivery: delivery => {
        if (!this.#closed) onDelivery(delivery, outcome => this.#settle(receiver, delivery, outcome))
      },
      onClosed: closed => {
        lost = closed
        if (this.#receiver === receiver) this.#lost(closed)
      }
    })
    try {
      if (!this.#closed && lost === undefined) await onAttached(connection, again)
    } catch (error) {
      if (lost === undefined) await receiver.close()
      throw error
    }
    if (lost !== undefined) return this.#lost(lost)
    this.#receiver = receiver
    this.#lostAt = undefined
    this.#backoff.reset()
    this.#outstanding = 0
    this.topUp()
  }

  /** One more may come; not for what came over a link that is gone. */
  #settle(receiver: Receiver, delivery: Delivery, outcome: Outcome): void {
    delivery.settle(outcome)
    if (this.#receiver !== receiver) return
    this.#outstanding -= 1
    this.topUp()
  }

  #lost({ error }: LinkClosed): void {
    const had = this.#receiver !== undefined
    this.#receiver = undefined
    if (this.#closed) return
    // the host closed its consumers for whoever has the session now, or the session has ended
    if (error?.condition === CONDITIONS.resourceDeleted)
      return this.#end(new BridgeError('sessionTakenOver', `${error.condition}: ${error.description}`))
    if (had) this.#options.onLost()
    this.#attachLater(`the link was lost: ${error?.condition ?? 'no reason given'}`)
  }

  #refused(error: unknown): void {
    if (this.#closed) return
    if (!(error instanceof AmqpError)) return this.#end(error)
    // whoever else it is: the service has made sure that a former connection has gone
    if (error.condition === CONDITIONS.resourceLocked && this.#attempts === 1)
      return this.#end(
        new BridgeError('serverUnavailable', `another receiver has the queue: ${error.message}`)
      )
    if (error.condition === CONDITIONS.connectionForced) this.#connection = undefined
    this.#attachLater(error.message)
  }

  #attachLater(why: string): void {
    const now = performance.now()
    const { graceMs, log, address } = this.#options
    const leftMs = (this.#lostAt ??= now) + graceMs() - now
    if (leftMs <= 0)
      return this.#end(new BridgeError('serverUnavailable', `the queue of the session: ${why}`))
    log.debug({ address, why }, 'a link to a client queue is made again')
    this.#delay = setTimeout(() => this.open(), Math.min(leftMs, this.#backoff.next()))
  }

  #end(error: unknown): void {
    this.#closed = true
    this.#options.onEnded(error)
  }
}
