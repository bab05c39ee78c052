// Requests to the broker's management address, and their answers.
// Rule: an operation is a JSON text, and so is its result; answers come to a queue of our own whose name begins with `$`, so that no
// route to `#` sees them. When the connection goes, requests without an answer fail, since their fate is not known; another one is
// opened at once, and tried again until it opens.

import { randomUUID } from 'node:crypto'
import { Backoff } from '../../plugin/backoff.js'
import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { AmqpConnection, AmqpValue, Delivery, LinkClosed, Message, Sender } from '../../plugin/host.js'
import { translated, translating } from './broker-errors.js'
import { MANAGEMENT_ADDRESS, REPLY } from './names.js'

/** What is asked: an operation with its parameters, or an attribute, of the broker or of one of its resources. */
export type Request =
  | { readonly resource: string; readonly operation: string; readonly args: readonly unknown[] }
  | { readonly resource: string; readonly attribute: string }

interface Pending {
  resolve(result: unknown): void
  reject(error: unknown): void
  readonly timer: NodeJS.Timeout
}

/** Answers that may be on their way at once. */
const WINDOW = 500

/** ms between attempts to open another connection */
const MIN_DELAY_MS = 50
const MAX_DELAY_MS = 2000

export interface ManagementClientOptions {
  readonly connect: () => Promise<AmqpConnection>
  /** for an answer, ms */
  readonly timeoutMs: number
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

  /** The result, parsed once. Rejects with AmqpError: what the broker answers, or the loss of the connection. */
  async request(request: Request): Promise<unknown> {
    const channel = await (this.#channel ?? this.#open())
    return channel.request(request)
  }

  #open(): Promise<Channel> {
    clearTimeout(this.#timer)
    const opening = Channel.open(this.#options, error => {
      if (this.#channel === opening) this.#gone(error)
    })
    this.#channel = opening
    opening.then(
      () => {
        if (this.#wasGone) this.#options.onBack()
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
      if (this.#channel === undefined) this.#open().catch(() => undefined)
    }, this.#backoff.next())
  }
}

/** One connection's requests. */
class Channel {
  readonly #timeoutMs: number
  readonly #onGone: (error: AmqpError) => void
  readonly #replyTo = `${REPLY}${randomUUID()}`
  readonly #pending = new Map<string, Pending>()
  /** without credit to send them */
  readonly #waiting: Message[] = []
  #sender: Sender | undefined
  #gone: AmqpError | undefined
  #lastId = 0

  private constructor(timeoutMs: number, onGone: (error: AmqpError) => void) {
    this.#timeoutMs = timeoutMs
    this.#onGone = onGone
  }

  static async open(options: ManagementClientOptions, onGone: (error: AmqpError) => void): Promise<Channel> {
    const channel = new Channel(options.timeoutMs, onGone)
    const connection = await options.connect()
    try {
      await translating(channel.#attach(connection))
      return channel
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  request(request: Request): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) return reject(this.#gone)
      const id = String(++this.#lastId)
      const timer = setTimeout(() => {
        this.#pending.delete(id)
        reject(new AmqpError(CONDITIONS.connectionForced, `no answer within ${this.#timeoutMs} ms`))
      }, this.#timeoutMs)
      this.#pending.set(id, { resolve, reject, timer })
      this.#waiting.push(encode(request, { correlationId: id, replyTo: this.#replyTo }))
      this.#flush()
    })
  }

  async #attach(connection: AmqpConnection): Promise<void> {
    const onClosed = (closed: LinkClosed): void => {
      this.#end(closed)
      void connection.close()
    }
    let ready: () => void = () => undefined
    const credit = new Promise<void>(resolve => (ready = resolve))
    const onCredit = (): void => {
      ready()
      this.#flush()
    }
    const sender = await connection.openSender({ address: MANAGEMENT_ADDRESS, onCredit, onClosed })
    await credit
    await made(sender, this.#replyTo)
    const onDelivery = (delivery: Delivery): void => this.#answer(delivery)
    await connection.openReceiver({
      address: this.#replyTo,
      kind: 'queue',
      window: WINDOW,
      onDelivery,
      onClosed
    })
    this.#sender = sender
    this.#flush()
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
    const id = String(message.properties.correlationId)
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    this.#pending.delete(id)
    clearTimeout(pending.timer)
    try {
      pending.resolve(resultOf(message))
    } catch (error) {
      pending.reject(error)
    }
  }

  #end({ error }: LinkClosed): void {
    if (this.#gone !== undefined) return
    this.#gone = new AmqpError(
      error?.condition ?? CONDITIONS.connectionForced,
      error?.description ?? 'the connection to the broker is gone'
    )
    this.#onGone(this.#gone)
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer)
      reject(this.#gone)
    }
    this.#pending.clear()
    this.#waiting.length = 0
  }
}

/** Makes a queue for answers. Such a request has no answer itself: the broker does what it says before it takes the next. */
function made(sender: Sender, queue: string): Promise<void> {
  const request = encode(createQueueRequest(temporaryQueue(queue)), {})
  return new Promise((resolve, reject) => {
    sender.send(request, outcome => {
      if (outcome.type === 'accepted') resolve()
      else reject(new AmqpError(CONDITIONS.internalError, `management answers ${outcome.type}`))
    })
  })
}

/** A queue that goes with its consumer. */
export const temporaryQueue = (name: string, address = name): object => ({
  name,
  address,
  'routing-type': address === name ? 'ANYCAST' : 'MULTICAST',
  durable: false,
  'auto-delete': true,
  'auto-delete-delay': 0,
  'auto-delete-message-count': -1,
  'max-consumers': 1,
  'auto-create-address': true
})

export const createQueueRequest = (configuration: object): Request => ({
  resource: 'broker',
  operation: 'createQueue',
  args: [JSON.stringify(configuration), true]
})

function encode(request: Request, properties: Message['properties']): Message {
  const fields = new Map<string, AmqpValue>([['_AMQ_ResourceName', request.resource]])
  if ('attribute' in request) fields.set('_AMQ_Attribute', request.attribute)
  else fields.set('_AMQ_OperationName', request.operation)
  const text = JSON.stringify('attribute' in request ? [] : request.args)
  const body = { type: 'value', value: text } as const
  return {
    durable: false,
    deliveryCount: 0,
    annotations: new Map(),
    properties,
    applicationProperties: fields,
    body
  }
}

/** Throws what the broker says when an operation failed. */
function resultOf({ applicationProperties, body }: Message): unknown {
  const text = body.type === 'value' && typeof body.value === 'string' ? body.value : '[null]'
  const [result] = JSON.parse(text) as readonly unknown[]
  if (applicationProperties.get('_AMQ_OperationSucceeded') === true) return result
  const description = typeof result === 'string' ? result : 'the broker could not do what it was asked'
  throw translated({ condition: CONDITIONS.internalError, description })
}
