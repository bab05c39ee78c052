// Requests to the broker's `$management` node, and their answers.
// Rule: requests go out in the order of the calls; when the connection goes, those without an answer fail, since their fate is not known,
// and the next request opens another.

import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { AmqpConnection, Delivery, LinkClosed, Message, Sender } from '../../plugin/host.js'
import {
  makeRequest,
  MANAGEMENT,
  readJson,
  readReply,
  type Operation
} from '../embedded/management-protocol.js'

type Args = Readonly<Record<string, string | number | undefined>>

interface Pending {
  resolve(sections: readonly Uint8Array[]): void
  reject(error: unknown): void
}

/** Answers that may be on their way at once. */
const WINDOW = 200

export class ManagementClient {
  readonly #connect: () => Promise<AmqpConnection>
  #channel: Promise<Channel> | undefined

  constructor(connect: () => Promise<AmqpConnection>) {
    this.#connect = connect
  }

  /** Data sections of the answer. Rejects with the AmqpError that the broker answers, and when the connection is lost. */
  async request(
    operation: Operation,
    args: Args = {},
    sections: readonly Uint8Array[] = []
  ): Promise<readonly Uint8Array[]> {
    const channel = await (this.#channel ?? this.#open())
    return channel.request(operation, args, sections)
  }

  async json<T>(operation: Operation, args: Args = {}, sections: readonly Uint8Array[] = []): Promise<T> {
    return readJson<T>(await this.request(operation, args, sections))
  }

  #open(): Promise<Channel> {
    const forget = (): void => {
      if (this.#channel === opening) this.#channel = undefined
    }
    const opening = Channel.open(this.#connect, forget)
    this.#channel = opening
    opening.catch(forget)
    return opening
  }
}

/** One connection's requests. */
class Channel {
  readonly #onGone: () => void
  readonly #pending = new Map<number, Pending>()
  /** without credit to send them */
  readonly #waiting: Message[] = []
  #sender: Sender | undefined
  #gone: AmqpError | undefined
  #lastId = 0

  private constructor(onGone: () => void) {
    this.#onGone = onGone
  }

  static async open(connect: () => Promise<AmqpConnection>, onGone: () => void): Promise<Channel> {
    const channel = new Channel(onGone)
    const connection = await connect()
    const onClosed = (closed: LinkClosed): void => {
      channel.#end(closed)
      void connection.close()
    }
    const onDelivery = (delivery: Delivery): void => channel.#answer(delivery)
    try {
      await connection.openReceiver({ address: MANAGEMENT, window: WINDOW, onDelivery, onClosed })
      const onCredit = (): void => channel.#flush()
      channel.#sender = await connection.openSender({ address: MANAGEMENT, onCredit, onClosed })
      return channel
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  request(operation: Operation, args: Args, sections: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) return reject(this.#gone)
      const id = ++this.#lastId
      this.#pending.set(id, { resolve, reject })
      this.#waiting.push(makeRequest(operation, args, sections, id))
      this.#flush()
    })
  }

  #flush(): void {
    const sender = this.#sender
    while (sender !== undefined && sender.credit > 0) {
      const request = this.#waiting.shift()
      if (request === undefined) return
      sender.send(request)
    }
  }

  #answer({ message, settle }: Delivery): void {
    settle({ type: 'accepted' })
    const id = Number(message.properties.correlationId)
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    try {
      pending?.resolve(readReply(message))
    } catch (error) {
      pending?.reject(error)
    }
  }

  #end({ error }: LinkClosed): void {
    if (this.#gone !== undefined) return
    this.#gone = new AmqpError(
      error?.condition ?? CONDITIONS.connectionForced,
      error?.description ?? 'the connection to the broker is gone'
    )
    this.#onGone()
    for (const { reject } of this.#pending.values()) reject(this.#gone)
    this.#pending.clear()
    this.#waiting.length = 0
  }
}
