// A client of the address space in a case: opens links, and waits for credit, outcomes and ends with a clear message.
// Rule: nothing here makes up for a host; what a case asks for is asked of the port as it is.

import assert from 'node:assert/strict'
import { AmqpError } from '../../plugin/errors.js'
import type {
  AmqpConnection,
  LinkClosed,
  LinkError,
  Message,
  Outcome,
  Principal,
  Receiver,
  ReceiverOptions,
  SendOptions,
  Sender,
  ServedLink
} from '../../plugin/host.js'
import { login } from './fixture.js'
import type { ContractFixture, UserName } from './fixture.js'
import { Inbox } from './inbox.js'
import { Signal, within } from './signal.js'

/** A message on its way; its outcome may be waited for later. */
export interface Sent {
  outcome(): Promise<Outcome>
  readonly outcomes: readonly Outcome[]
}

export class Outlet {
  readonly #t: ContractFixture
  readonly #name: string
  readonly #signal: Signal
  readonly #closed: LinkClosed[] = []
  #sender: Sender | undefined

  private constructor(t: ContractFixture, name: string) {
    this.#t = t
    this.#name = name
    this.#signal = new Signal(t.patienceMs)
  }

  static async open(
    t: ContractFixture,
    connection: AmqpConnection,
    address: string | undefined,
    name?: string
  ) {
    const outlet = new Outlet(t, address ?? 'the relay')
    const onCredit = (): void => outlet.#signal.notify()
    const onClosed = (closed: LinkClosed): void => {
      outlet.#closed.push(closed)
      outlet.#signal.notify()
    }
    outlet.#sender = await connection.openSender({ name, address, onCredit, onClosed })
    return outlet
  }

  get link(): Sender {
    assert.ok(this.#sender)
    return this.#sender
  }

  get closings(): number {
    return this.#closed.length
  }

  async credit(): Promise<number> {
    const read = (): number | undefined => (this.link.credit > 0 ? this.link.credit : undefined)
    return this.#signal.until(read, () => `credit on ${this.#name}`)
  }

  /** Sends when there is credit. */
  async start(message: Message, options?: SendOptions): Promise<Sent> {
    await this.credit()
    return this.startNow(message, options)
  }

  startNow(message: Message, options?: SendOptions): Sent {
    const outcomes: Outcome[] = []
    const onOutcome = (outcome: Outcome): void => {
      outcomes.push(outcome)
      this.#signal.notify()
    }
    this.link.send(message, onOutcome, options)
    return {
      outcomes,
      outcome: () =>
        this.#signal.until(
          () => outcomes[0],
          () => `the outcome of a message on ${this.#name}`
        )
    }
  }

  async send(message: Message, options?: SendOptions): Promise<Outcome> {
    return (await this.start(message, options)).outcome()
  }

  /** Sends all, one after the other as credit allows, and wants them accepted. */
  async accepted(...messages: readonly Message[]): Promise<void> {
    const sent: Sent[] = []
    for (const message of messages) sent.push(await this.start(message))
    for (const each of sent) assert.deepEqual(await each.outcome(), { type: 'accepted' })
  }

  closed(): Promise<LinkClosed> {
    return this.#signal.until(
      () => this.#closed[0],
      () => `the end of the sender on ${this.#name}`
    )
  }

  close(error?: LinkError): Promise<void> {
    return within(this.#t.patienceMs, `the close of the sender on ${this.#name}`, this.link.close(error))
  }
}

export class Peer {
  readonly connection: AmqpConnection
  readonly #t: ContractFixture

  private constructor(t: ContractFixture, connection: AmqpConnection) {
    this.#t = t
    this.connection = connection
  }

  static async open(t: ContractFixture, as: UserName | 'service' | Principal = 'service'): Promise<Peer> {
    const identity = typeof as === 'string' && as !== 'service' ? await login(t, as) : as
    return new Peer(t, await within(t.patienceMs, 'a connection', t.space.connect(identity)))
  }

  /** undefined: the anonymous relay */
  sender(address: string | undefined, name?: string): Promise<Outlet> {
    const opening = Outlet.open(this.#t, this.connection, address, name)
    return within(this.#t.patienceMs, `a sender to ${address ?? 'the relay'}`, opening)
  }

  /** A receiver with a window of 100, if `options` do not say otherwise. */
  async receive(
    address: string | undefined,
    options: Partial<ReceiverOptions> & { readonly accepting?: boolean } = {}
  ): Promise<{ readonly inbox: Inbox; readonly receiver: Receiver }> {
    const { patienceMs } = this.#t
    const { accepting, ...rest } = options
    const inbox = new Inbox(address ?? 'a reply node', patienceMs, accepting)
    const { onDelivery, onClosed } = inbox
    const opening = this.connection.openReceiver({ window: 100, onDelivery, onClosed, ...rest, address })
    return {
      inbox,
      receiver: await within(patienceMs, `a receiver on ${address ?? 'a reply node'}`, opening)
    }
  }

  /** Texts of what is in a queue, taken out of it. */
  async empty(queue: string): Promise<string[]> {
    const { inbox, receiver } = await this.receive(queue, { window: 0, accepting: true })
    receiver.addCredit(1000)
    await within(this.#t.patienceMs, `the drain of ${queue}`, receiver.drain())
    await receiver.close()
    return inbox.all
  }

  close(): Promise<void> {
    return within(this.#t.patienceMs, 'the close of a connection', this.connection.close())
  }
}

/** The one who serves an address: takes every link, and keeps what comes over each. */
export class Service {
  readonly links: { readonly link: ServedLink; readonly inbox: Inbox }[] = []
  readonly #t: ContractFixture
  readonly #address: string
  readonly #window: number
  readonly #signal: Signal
  #closeable: { close(): Promise<void> } | undefined
  #taken = 0

  private constructor(t: ContractFixture, address: string, window: number) {
    this.#t = t
    this.#address = address
    this.#window = window
    this.#signal = new Signal(t.patienceMs)
  }

  static async open(t: ContractFixture, address: string, window = 100): Promise<Service> {
    const service = new Service(t, address, window)
    const serving = t.space.serve(address, link => service.#take(link))
    service.#closeable = await within(t.patienceMs, `the service of ${address}`, serving)
    return service
  }

  /** The next link that attached. */
  next(): Promise<{ readonly link: ServedLink; readonly inbox: Inbox }> {
    return this.#signal.until(
      () => (this.#taken < this.links.length ? this.links[this.#taken++] : undefined),
      () => `link ${this.#taken + 1} to ${this.#address}`
    )
  }

  async close(): Promise<void> {
    assert.ok(this.#closeable)
    await within(this.#t.patienceMs, `the end of the service of ${this.#address}`, this.#closeable.close())
  }

  #take(link: ServedLink): void {
    const inbox = new Inbox(`the served link ${link.name}`, this.#t.patienceMs)
    const { onDelivery, onClosed } = inbox
    link.accept({ window: this.#window, onDelivery, onClosed })
    this.links.push({ link, inbox })
    this.#signal.notify()
  }
}

/** The attempt fails with this AMQP condition. */
export async function refused(
  attempt: Promise<unknown>,
  condition: string,
  what: string
): Promise<AmqpError> {
  try {
    await attempt
  } catch (error) {
    assert.ok(error instanceof AmqpError, `${what}: failed with ${String(error)} instead of an AmqpError`)
    assert.equal(error.condition, condition, `${what}: ${error.message}`)
    return error
  }
  return assert.fail(`${what}: was allowed, ${condition} expected`)
}
