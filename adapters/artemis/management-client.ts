// Requests to the broker's management address, and their answers.
// Rule: an operation is a JSON text, and so is its result; answers come to a queue of our own whose name begins with `$`, so that no
// route to `#` sees them.

import { randomUUID } from 'node:crypto'
import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { AmqpConnection, AmqpValue, Message, Sender } from '../../plugin/host.js'
import type { ChannelHandlers, ChannelLinks, RequestProperties } from '../rhea/request-channel.js'
import { RequestClient } from '../rhea/request-client.js'
import { translated, translating } from './broker-errors.js'
import { MANAGEMENT_ADDRESS, REPLY } from './names.js'

/** What is asked: an operation with its parameters, or an attribute, of the broker or of one of its resources. */
export type Request =
  | { readonly resource: string; readonly operation: string; readonly args: readonly unknown[] }
  | { readonly resource: string; readonly attribute: string }

/** Answers that may be on their way at once. */
const WINDOW = 500

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
  readonly #requests: RequestClient

  constructor(options: ManagementClientOptions) {
    const attach: typeof attachLinks = (...links) => translating(attachLinks(...links))
    this.#requests = new RequestClient({ ...options, attach })
  }

  /** Opens no other connection; that which is open is the host's to close. */
  close(): void {
    this.#requests.close()
  }

  /** The result, parsed once. Rejects with AmqpError: what the broker answers, or the loss of the connection. */
  async request(request: Request): Promise<unknown> {
    const make = ({ correlationId, replyTo }: RequestProperties): Message =>
      encode(request, { correlationId: String(correlationId), replyTo })
    return resultOf(await this.#requests.request(make))
  }
}

async function attachLinks(connection: AmqpConnection, handlers: ChannelHandlers): Promise<ChannelLinks> {
  const { onDelivery, onCredit, onClosed } = handlers
  const replyTo = `${REPLY}${randomUUID()}`
  let ready: () => void = () => undefined
  const credit = new Promise<void>(resolve => (ready = resolve))
  const sender = await connection.openSender({
    address: MANAGEMENT_ADDRESS,
    onCredit: () => {
      ready()
      onCredit()
    },
    onClosed
  })
  await credit
  await made(sender, replyTo)
  await connection.openReceiver({ address: replyTo, kind: 'queue', window: WINDOW, onDelivery, onClosed })
  return { sender, replyTo }
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
