// Links over which the Subscription Service sends retained messages: a pool for the clients of a gateway.
// Rule: one client at a time has a link, and gives it back only when nothing more can come over it for that client; any other is closed.

import { AmqpError, CONDITIONS } from '../errors.js'
import type { AmqpConnection, Delivery, Logger, Receiver } from '../host.js'

/** Links that wait for a client. */
const MAX_IDLE = 64
const ACCEPTED = { type: 'accepted' } as const

/** What a host says that makes no reply nodes. */
const WITHOUT_REPLY_NODES: ReadonlySet<string> = new Set([CONDITIONS.notFound, CONDITIONS.notImplemented])

export interface ReplayReceiver {
  onDelivery(delivery: Delivery): void
  /** The link is gone, or what it should bring does not come: there may be another service. */
  onInterrupted(): void
}

export class ReplayChannel {
  readonly receiver: Receiver
  user: ReplayReceiver | undefined
  /** deliveries that may come */
  credit = 0

  constructor(receiver: Receiver, user: ReplayReceiver) {
    this.receiver = receiver
    this.user = user
  }

  get address(): string {
    return this.receiver.address
  }

  /** As many may come from now on; not one credit at a time, unless there was none. */
  allow(deliveries: number): void {
    const more = deliveries - this.credit
    if (more <= 0 || (this.credit > 0 && 4 * more < deliveries)) return
    this.credit = deliveries
    this.receiver.addCredit(more)
  }
}

export class ReplayChannels {
  readonly #connection: AmqpConnection
  readonly #log: Logger
  readonly #idle: ReplayChannel[] = []
  readonly #used = new Set<ReplayChannel>()
  /** for whom there was no link */
  readonly #waiting = new Set<ReplayReceiver>()
  #warned = false

  constructor(connection: AmqpConnection, log: Logger) {
    this.#connection = connection
    this.#log = log
  }

  /** Links that are open: those of clients, and those that wait for one. */
  get size(): number {
    return this.#used.size + this.#idle.length
  }

  /** undefined: the host makes no reply nodes. Rejects with AmqpError. */
  async borrow(user: ReplayReceiver): Promise<ReplayChannel | undefined> {
    const channel = this.#idle.pop() ?? (await this.#open(user))
    if (channel === undefined) return undefined
    channel.user = user
    this.#used.add(channel)
    return channel
  }

  /** Nothing more comes over it for who had it. */
  giveBack(channel: ReplayChannel): void {
    if (!this.#used.delete(channel)) return
    channel.user = undefined
    if (this.#idle.length < MAX_IDLE) this.#idle.push(channel)
    else this.#close(channel)
  }

  /** More may come over it, and nobody wants that. */
  discard(channel: ReplayChannel): void {
    if (!this.#used.delete(channel)) return
    channel.user = undefined
    this.#close(channel)
  }

  /** `user` is told when it may try again. */
  wait(user: ReplayReceiver): void {
    this.#waiting.add(user)
  }

  forget(user: ReplayReceiver): void {
    this.#waiting.delete(user)
  }

  /** There may be another service, which knows of nothing that was asked. */
  interrupt(): void {
    const users = [...this.#waiting, ...[...this.#used].map(({ user }) => user)]
    this.#waiting.clear()
    for (const user of users) user?.onInterrupted()
  }

  async #open(user: ReplayReceiver): Promise<ReplayChannel | undefined> {
    let channel: ReplayChannel | undefined
    let lost = false
    try {
      const receiver = await this.#connection.openReceiver({
        address: undefined,
        window: 0,
        onDelivery: delivery => {
          if (channel === undefined) delivery.settle(ACCEPTED)
          else this.#deliver(channel, delivery)
        },
        onClosed: () => {
          lost = true
          if (channel !== undefined) this.#lost(channel)
        }
      })
      if (lost) throw new AmqpError(CONDITIONS.connectionForced, 'the link is gone')
      return (channel = new ReplayChannel(receiver, user))
    } catch (error) {
      if (!(error instanceof AmqpError) || !WITHOUT_REPLY_NODES.has(error.condition)) throw error
      if (!this.#warned)
        this.#log.warn({ err: error }, 'the host makes no reply nodes: retained messages reach no subscriber')
      this.#warned = true
      return undefined
    }
  }

  #deliver(channel: ReplayChannel, delivery: Delivery): void {
    channel.credit -= 1
    if (channel.user !== undefined) return channel.user.onDelivery(delivery)
    // a service that says more than it was asked for: the next client must not get it
    delivery.settle(ACCEPTED)
    const at = this.#idle.indexOf(channel)
    if (at !== -1) this.#idle.splice(at, 1)
    this.#close(channel)
  }

  #lost(channel: ReplayChannel): void {
    const at = this.#idle.indexOf(channel)
    if (at !== -1) this.#idle.splice(at, 1)
    if (this.#used.has(channel)) channel.user?.onInterrupted()
  }

  #close({ receiver }: ReplayChannel): void {
    receiver
      .close()
      .catch((error: unknown) => this.#log.debug({ err: error }, 'a replay channel was not closed'))
  }
}
