// Requests to the broker's `$management` node, and their answers.
// Rule: requests go out in the order of the calls; when the connection goes, those without an answer fail, since their fate is not known.
// Another one is opened at once, and tried again until it opens: whether there is one says whether the broker is there.

import { Backoff } from '../../plugin/backoff.js'
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

/** ms between attempts to open another connection */
const MIN_DELAY_MS = 50
const MAX_DELAY_MS = 2000

export interface ManagementClientOptions {
  readonly connect: () => Promise<AmqpConnection>
  /** The connection that was there is gone. */
  readonly onGone: (error: AmqpError) => void
  /** There is one again. */
  readonly onBack: () => void
}

export class ManagementClient {
  readonly #options: ManagementClientOptions
  readonly #backoff = new Backoff(MIN_DELAY_MS, MAX_DELAY_MS)
  #channel: Promise<Channel> | undefined
  #wasGone = false
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: ManagementClientOptions) {
    this.#options = options
  }

  /** Opens no other connection; that which is open is the host's to close. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
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
    const { connect, onBack } = this.#options
    clearTimeout(this.#timer)
    const opening = Channel.open(connect, error => {
      if (this.#channel === opening) this.#gone(error)
    })
    this.#channel = opening
    opening.then(
      () => {
        if (this.#wasGone) onBack()
        this.#wasGone = false
        this.#backoff.reset()
      },
      () => {
        if (this.#channel === opening) this.#channel = undefined
        if (this.#wasGone) this.#openLater()
      }
    )
    return opening
  }

  #gone(error: AmqpError): void {
    this.#channel = undefined
    if (this.#closed) return
    if (!this.#wasGone) this.#options.onGone(error)
    this.#wasGone = true
    this.#openLater()
  }

  #openLater(): void {
    clearTimeout(this.#timer)
    if (this.#closed) return
    this.#timer = setTimeout(() => {
      if (this.#channel === undefined) void this.#open()
    }, this.#backoff.next())
  }
}

/** One connection's requests. */
class Channel {
  readonly #onGone: (error: AmqpError) => void
  readonly #pending = new Map<number, Pending>()
  /** without credit to send them */
  readonly #waiting: Message[] = []
  #sender: Sender | undefined
  #gone: AmqpError | undefined
  #lastId = 0

  private constructor(onGone: (error: AmqpError) => void) {
    this.#onGone = onGone
  }

  static async open(
    connect: () => Promise<AmqpConnection>,
    onGone: (error: AmqpError) => void
  ): Promise<Channel> {
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
    this.#onGone(this.#gone)
    for (const { reject } of this.#pending.values()) reject(this.#gone)
    this.#pending.clear()
    this.#waiting.length = 0
  }
}
