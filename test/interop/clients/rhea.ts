// rhea as an AMQP client: attach, send and receive as promises.
// Rule: a refused link rejects with the condition; nothing reconnects.

import { once } from 'node:events'
import type { Socket } from 'node:net'

import rhea from 'rhea'

import { ReceivedQueue } from './queue.js'

const STATES = ['accepted', 'rejected', 'released', 'modified'] as const

export interface ClientOutcome {
  readonly state: (typeof STATES)[number]
  readonly condition?: string | undefined
}

interface ErrorLike {
  readonly condition?: string
  readonly description?: string
}

const failure = (error: unknown): Error => {
  const { condition = 'closed', description = '' } = (error ?? {}) as ErrorLike
  return new Error(`${condition}: ${description}`)
}

export class RheaClient {
  readonly #connection: rhea.Connection

  private constructor(connection: rhea.Connection) {
    this.#connection = connection
  }

  /** Rejects with the reason of a refused login. */
  static async connect(port: number, options: Partial<rhea.ConnectionOptions> = {}): Promise<RheaClient> {
    const container = rhea.create_container()
    const connection = container.connect({
      host: '127.0.0.1',
      port,
      reconnect: false,
      // without a user name rhea leaves SASL out
      username: 'anonymous',
      ...options
    } as rhea.ConnectionOptions)
    await new Promise<void>((resolve, reject) => {
      connection.once('connection_open', () => resolve())
      connection.once('disconnected', context => reject(failure(context.error)))
      connection.once('connection_error', () => reject(failure(connection.error)))
      connection.once('error', reject)
    })
    for (const event of ['disconnected', 'connection_error', 'connection_close', 'error']) {
      connection.on(event, () => undefined)
    }
    return new RheaClient(connection)
  }

  async openSender(address: string): Promise<RheaSender> {
    const sender = this.#connection.open_sender({ target: { address } })
    await attached(sender, 'sender')
    return new RheaSender(sender)
  }

  async openReceiver(address: string): Promise<RheaReceiver> {
    const receiver = this.#connection.open_receiver({
      source: { address },
      credit_window: 0,
      autoaccept: false,
      autosettle: false
    })
    const client = new RheaReceiver(receiver)
    await attached(receiver, 'receiver')
    receiver.add_credit(100)
    return client
  }

  /** Reads nothing more, and so answers nothing. */
  freeze(): void {
    this.#socket.pause()
  }

  /** Reads again, up to the end of the connection. */
  async thawToEnd(): Promise<void> {
    const ended = once(this.#connection, 'disconnected')
    this.#socket.resume()
    await ended
  }

  get #socket(): Socket {
    return (this.#connection as unknown as { socket: Socket }).socket
  }

  async close(): Promise<void> {
    const closed = once(this.#connection, 'connection_close')
    this.#connection.close()
    await closed
  }
}

export class RheaSender {
  readonly #sender: rhea.Sender

  readonly #outcomes = new Map<unknown, (outcome: ClientOutcome) => void>()
  readonly #lost: ((error: Error) => void)[] = []

  constructor(sender: rhea.Sender) {
    this.#sender = sender
    sender.on('sender_close', () => {
      for (const reject of this.#lost.splice(0)) reject(failure(sender.error))
    })
    for (const state of STATES) {
      sender.on(state, ({ delivery }: rhea.EventContext) => {
        const { remote_state: remote } = delivery as unknown as { remote_state?: { error?: ErrorLike } }
        this.#outcomes.get(delivery)?.({ state, condition: remote?.error?.condition })
        this.#outcomes.delete(delivery)
      })
    }
  }

  /** Resolves with the outcome. */
  async send(message: rhea.Message): Promise<ClientOutcome> {
    if (!this.#sender.sendable()) await once(this.#sender, 'sendable')
    const delivery = this.#sender.send(message)
    return await new Promise((resolve, reject) => {
      this.#outcomes.set(delivery, resolve)
      this.#lost.push(reject)
    })
  }

  async close(): Promise<void> {
    const closed = once(this.#sender, 'sender_close')
    this.#sender.close()
    await closed
  }
}

export class RheaReceiver {
  readonly #receiver: rhea.Receiver
  /** accepted as they come */
  readonly received = new ReceivedQueue<rhea.Message>('message')

  constructor(receiver: rhea.Receiver) {
    this.#receiver = receiver
    receiver.on('message', ({ message, delivery }: rhea.EventContext) => {
      delivery?.accept()
      receiver.add_credit(1)
      if (message !== undefined) this.received.push(message)
    })
  }

  async close(): Promise<void> {
    const closed = once(this.#receiver, 'receiver_close')
    this.#receiver.close()
    await closed
  }
}

/** Resolves when the other side has attached a terminus; rejects with its error where it refuses. */
async function attached(link: rhea.link, role: 'sender' | 'receiver'): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    link.once(`${role}_error`, () => reject(failure(link.error)))
    link.once(`${role}_close`, () => reject(failure(link.error)))
    link.once(`${role}_open`, () => {
      // a refused attach has no terminus (rhea makes a value `null` of it), and a detach with the reason follows
      const terminus = (role === 'sender' ? link.target : link.source) as { value?: unknown } | undefined
      if (terminus !== undefined && terminus.value !== null) resolve()
    })
  })
  link.on(`${role}_error`, () => undefined)
}
