// A client that knows AMQP 1.0 and nothing of MQTT, as the tests of the Subscription Service see it, on two libraries.

import rhea from 'rhea'

import { ProtonClient } from './proton.js'
import { RheaClient, type RheaReceiver, type RheaSender } from './rhea.js'

export interface ServiceRequest {
  readonly subject: string
  readonly correlationId: string
  readonly body?: unknown
  readonly replyTo?: string
}

export interface Received {
  readonly to: string | null
  readonly subject: string | null
  readonly correlationId: unknown
  readonly sessionPresent: unknown
  /** text of a data section, or the value of an amqp-value */
  readonly body: unknown
}

export interface PureAmqpClient {
  connect(port: number): Promise<void>
  /** Sends to an address of the Subscription Service; the outcome, with the condition of a rejection. */
  request(address: string, request: ServiceRequest): Promise<string>
  attach(address: string): Promise<void>
  receive(address: string): Promise<Received>
  detach(address: string): Promise<void>
  disconnect(): Promise<void>
  /** Frees what is left. */
  end(): Promise<void>
}

const named = (state: string, condition: string | undefined): string =>
  condition === undefined ? state : `${state} ${condition}`

export class ProtonPureClient implements PureAmqpClient {
  readonly #proton = new ProtonClient()

  connect(port: number): Promise<void> {
    return this.#proton.connect(port)
  }

  async request(address: string, request: ServiceRequest): Promise<string> {
    const { state, condition } = await this.#proton.request(address, request)
    return named(state, condition)
  }

  attach(address: string): Promise<void> {
    return this.#proton.attach(address)
  }

  async receive(address: string): Promise<Received> {
    const { address: to, subject, correlationId, properties, body } = await this.#proton.receive(address)
    const [type, value] = body
    return {
      to,
      subject,
      correlationId,
      sessionPresent: properties['session-present']?.[1],
      body: type === 'binary' ? Buffer.from(String(value), 'hex').toString() : value
    }
  }

  detach(address: string): Promise<void> {
    return this.#proton.detach(address)
  }

  disconnect(): Promise<void> {
    return this.#proton.disconnect()
  }

  end(): Promise<void> {
    return this.#proton.end()
  }
}

export class RheaPureClient implements PureAmqpClient {
  #client: RheaClient | undefined
  readonly #senders = new Map<string, RheaSender>()
  readonly #receivers = new Map<string, RheaReceiver>()

  async connect(port: number): Promise<void> {
    this.#client = await RheaClient.connect(port)
  }

  async request(address: string, { subject, correlationId, body, replyTo }: ServiceRequest): Promise<string> {
    const sender = this.#senders.get(address) ?? (await this.#connected.openSender(address))
    this.#senders.set(address, sender)
    const message = { subject, correlation_id: correlationId, body: body ?? null }
    const { state, condition } = await sender.send(
      replyTo === undefined ? message : { ...message, reply_to: replyTo }
    )
    return named(state, condition)
  }

  async attach(address: string): Promise<void> {
    this.#receivers.set(address, await this.#connected.openReceiver(address))
  }

  async receive(address: string): Promise<Received> {
    const message = await this.#receiver(address).received.next()
    const body: unknown = message.body
    return {
      to: message.to ?? null,
      subject: message.subject ?? null,
      correlationId: message.correlation_id,
      sessionPresent: message.application_properties?.['session-present'],
      body: isDataSection(body) ? body.content.toString() : body
    }
  }

  async detach(address: string): Promise<void> {
    await this.#receiver(address).close()
    this.#receivers.delete(address)
  }

  async disconnect(): Promise<void> {
    this.#senders.clear()
    this.#receivers.clear()
    await this.#connected.close()
    this.#client = undefined
  }

  async end(): Promise<void> {
    await this.#client?.close()
  }

  get #connected(): RheaClient {
    if (this.#client === undefined) throw new Error('not connected')
    return this.#client
  }

  #receiver(address: string): RheaReceiver {
    const receiver = this.#receivers.get(address)
    if (receiver === undefined) throw new Error(`not attached to ${address}`)
    return receiver
  }
}

const DATA_SECTION = (rhea.message.data_section(Buffer.alloc(0)) as { typecode: number }).typecode

function isDataSection(body: unknown): body is { readonly content: Buffer } {
  return typeof body === 'object' && body !== null && 'typecode' in body && body.typecode === DATA_SECTION
}
