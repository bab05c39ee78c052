// Requests over one connection, and their answers.
// Rule: requests go out in the order of the calls, as there is credit; an answer is known by its correlation-id. When the connection goes,
// those without an answer fail, since their fate is not known.

import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { AmqpConnection, Delivery, LinkClosed, Message, Sender } from '../../plugin/host.js'

/** What the links of a channel do. */
export interface ChannelHandlers {
  readonly onDelivery: (delivery: Delivery) => void
  readonly onCredit: () => void
  readonly onClosed: (closed: LinkClosed) => void
}

export interface ChannelLinks {
  readonly sender: Sender
  /** undefined: the other side knows where answers go */
  readonly replyTo?: string | undefined
}

export interface ChannelOptions {
  readonly connect: () => Promise<AmqpConnection>
  /** Opens the link for requests and that for answers. */
  readonly attach: (connection: AmqpConnection, handlers: ChannelHandlers) => Promise<ChannelLinks>
  /** for an answer, ms; undefined: as long as the connection is there */
  readonly timeoutMs?: number | undefined
}

export interface RequestProperties {
  readonly correlationId: number
  readonly replyTo: string | undefined
}

interface Pending {
  resolve(answer: Message): void
  reject(error: AmqpError): void
  readonly timer: NodeJS.Timeout | undefined
}

export class RequestChannel {
  readonly #timeoutMs: number | undefined
  readonly #onGone: (error: AmqpError) => void
  readonly #pending = new Map<number, Pending>()
  /** without credit to send them */
  readonly #waiting: Message[] = []
  #links: ChannelLinks | undefined
  #gone: AmqpError | undefined
  #lastId = 0

  private constructor(timeoutMs: number | undefined, onGone: (error: AmqpError) => void) {
    this.#timeoutMs = timeoutMs
    this.#onGone = onGone
  }

  /** `onGone`: once, when one of its links or the connection has ended. */
  static async open(options: ChannelOptions, onGone: (error: AmqpError) => void): Promise<RequestChannel> {
    const channel = new RequestChannel(options.timeoutMs, onGone)
    const connection = await options.connect()
    try {
      channel.#links = await channel.#attach(connection, options.attach)
      return channel
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  /** Resolves with the answer. Rejects with AmqpError when the connection goes, or time is over. */
  request(make: (properties: RequestProperties) => Message): Promise<Message> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) return reject(this.#gone)
      const correlationId = ++this.#lastId
      this.#waiting.push(make({ correlationId, replyTo: this.#links?.replyTo }))
      this.#pending.set(correlationId, { resolve, reject, timer: this.#limit(correlationId) })
      this.#flush()
    })
  }

  /** Rejects, too, when a link ends before all is there. */
  #attach(connection: AmqpConnection, attach: ChannelOptions['attach']): Promise<ChannelLinks> {
    return new Promise((resolve, reject) => {
      const onClosed = (closed: LinkClosed): void => {
        reject(this.#end(closed))
        void connection.close()
      }
      const onDelivery = (delivery: Delivery): void => this.#answer(delivery)
      const onCredit = (): void => this.#flush()
      attach(connection, { onDelivery, onCredit, onClosed }).then(resolve, reject)
    })
  }

  #limit(correlationId: number): NodeJS.Timeout | undefined {
    const timeoutMs = this.#timeoutMs
    if (timeoutMs === undefined) return undefined
    return setTimeout(() => {
      const error = new AmqpError(CONDITIONS.connectionForced, `no answer within ${timeoutMs} ms`)
      this.#taken(correlationId)?.reject(error)
    }, timeoutMs)
  }

  #flush(): void {
    const sender = this.#links?.sender
    while (sender !== undefined && sender.credit > 0) {
      const request = this.#waiting.shift()
      if (request === undefined) return
      sender.send(request)
    }
  }

  #answer({ message, settle }: Delivery): void {
    settle({ type: 'accepted' })
    this.#taken(Number(message.properties.correlationId))?.resolve(message)
  }

  #taken(correlationId: number): Pending | undefined {
    const pending = this.#pending.get(correlationId)
    this.#pending.delete(correlationId)
    clearTimeout(pending?.timer)
    return pending
  }

  #end({ error }: LinkClosed): AmqpError {
    if (this.#gone !== undefined) return this.#gone
    const gone = new AmqpError(
      error?.condition ?? CONDITIONS.connectionForced,
      error?.description ?? 'the connection to the broker is gone'
    )
    this.#gone = gone
    this.#onGone(gone)
    for (const correlationId of [...this.#pending.keys()]) this.#taken(correlationId)?.reject(gone)
    this.#waiting.length = 0
    return gone
  }
}
