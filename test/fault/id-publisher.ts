// An AMQP publisher that gives each message a duplicate id, knows which were accepted, and sends more than those again after a fault.
// Rule: what is sent again has the id of the first time, whether it was accepted or not.

import rhea, { type Connection, type Delivery, type EventContext, type Sender } from 'rhea'

const UNSETTLED = 64
/** What was accepted and is sent again all the same, messages. */
const AGAIN = 200
const BODY_BYTES = 100

export class IdPublisher {
  readonly name: string
  readonly #topic: string
  readonly #indexes = new Map<Delivery, number>()
  readonly #accepted = new Set<number>()
  #sent = 0
  #refused: string | undefined
  #lost: Promise<void> = Promise.resolve()

  constructor(name: string, topic: string) {
    this.name = name
    this.#topic = topic
  }

  /** Messages that were sent at least once: their numbers are 0 to sent - 1. */
  get sent(): number {
    return this.#sent
  }

  get acknowledged(): number {
    return this.#accepted.size
  }

  /** Resolves when it is connected, and sends until the connection is lost. `onAcknowledged` runs after each outcome. */
  async flow(port: number, onAcknowledged: () => void): Promise<void> {
    const { connection, sender } = await this.#open(port)
    this.#lost = new Promise<void>(resolve => connection.once('disconnected', () => resolve()))
    const pump = (): void => {
      while (sender.sendable() && this.#indexes.size < UNSETTLED) this.#send(sender, this.#sent++)
    }
    sender.on('accepted', (context: EventContext) => {
      this.#settled(context)
      onAcknowledged()
      pump()
    })
    sender.on('sendable', pump)
    pump()
  }

  /** Resolves when the connection that flow() opened is gone; nothing is accepted after that. */
  async connectionLost(): Promise<void> {
    await this.#lost
    this.#indexes.clear()
  }

  /** Sends again, under their ids, what was not accepted and what was shortly before that; resolves when all is accepted. */
  async resume(port: number): Promise<void> {
    const { connection, sender } = await this.#open(port)
    let next = Math.max(0, this.#accepted.size - AGAIN)
    const end = this.#sent
    await new Promise<void>((resolve, reject) => {
      const pump = (): void => {
        while (next < end && sender.sendable() && this.#indexes.size < UNSETTLED) this.#send(sender, next++)
        if (next === end && this.#indexes.size === 0) resolve()
      }
      connection.once('disconnected', () => reject(new Error(`${this.name}: the connection was lost`)))
      sender.on('accepted', (context: EventContext) => {
        this.#settled(context)
        if (this.#refused !== undefined) reject(new Error(this.#refused))
        pump()
      })
      sender.on('sendable', pump)
      pump()
    })
    await new Promise(resolve => {
      connection.once('connection_close', resolve)
      connection.close()
    })
  }

  #send(sender: Sender, index: number): void {
    const label = `${this.name} ${index} `
    const body = rhea.message.data_section(Buffer.from(label.padEnd(BODY_BYTES, '.')))
    const message = { durable: true, application_properties: { _AMQ_DUPL_ID: label }, body }
    this.#indexes.set(sender.send(message), index)
  }

  #settled({ delivery }: EventContext): void {
    const index = delivery && this.#indexes.get(delivery)
    if (delivery === undefined || index === undefined) {
      this.#refused = `${this.name}: an outcome of nothing that was sent`
      return
    }
    this.#indexes.delete(delivery)
    this.#accepted.add(index)
  }

  #open(port: number): Promise<{ readonly connection: Connection; readonly sender: Sender }> {
    const options = { host: '127.0.0.1', port, username: 'anonymous', reconnect: false, tcp_no_delay: true }
    const connection = rhea.create_container().connect(options)
    connection.on('error', () => undefined) // a server that is killed is what we are here for
    const sender = connection.open_sender({ target: { address: this.#topic, capabilities: ['topic'] } })
    return new Promise((resolve, reject) => {
      sender.once('sendable', () => resolve({ connection, sender }))
      for (const outcome of ['rejected', 'released', 'modified']) {
        sender.on(outcome, () => (this.#refused = `${this.name}: a message was ${outcome}`))
      }
      connection.once('disconnected', () => reject(new Error(`${this.name}: no connection`)))
    })
  }
}
