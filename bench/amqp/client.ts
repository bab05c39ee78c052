// A pure AMQP client of a durable MQTT session: it subscribes through the Subscription Service and receives from the session's
// queue. Rule: credit is given as deliveries are settled, never more than the window.

import rhea, { type Connection, type EventContext, type Message, type Sender } from 'rhea'

export interface QueueDelivery {
  readonly payload: Buffer
  /** Settles accepted; makes room for another. */
  accept(): void
}

const SERVICE = '$mqtt.subscriptionservice'

export const queueOf = (clientId: string): string => `$mqtt.to.${clientId}.publish`

export class AmqpClient {
  readonly #connection: Connection

  private constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Resolves when the connection is open. */
  static connect(port: number): Promise<AmqpClient> {
    // tcp_no_delay is an option of rhea's that its declarations lack
    const options = { host: '127.0.0.1', port, username: 'anonymous', reconnect: false, tcp_no_delay: true }
    const connection = rhea.create_container().connect(options)
    return new Promise((resolve, reject) => {
      connection.once('connection_open', () => resolve(new AmqpClient(connection)))
      const fail = (context: EventContext): void =>
        reject(context.error ?? new Error('the connection was lost'))
      for (const event of ['connection_error', 'connection_close', 'disconnected']) connection.on(event, fail)
      // without a listener rhea throws: a server that is killed is what we are here for
      connection.on('error', fail)
    })
  }

  /** Subscribes the durable session of `clientId`, which is made if it is not there; `clientId` needs no encoding. */
  async subscribe(clientId: string, filters: Readonly<Record<string, '0' | '1'>>): Promise<void> {
    const sender = await this.#openSender(SERVICE)
    await outcomeOf(sender, {
      subject: 'subscribe',
      correlation_id: queueOf(clientId),
      message_id: rhea.types.wrap_ulong(1),
      body: rhea.types.wrap_map(filters)
    })
    await closed(sender)
  }

  /** Resolves when the server has read everything that was sent on this connection before. */
  async roundTrip(): Promise<void> {
    await closed(await this.#openSender(SERVICE))
  }

  /** Receives from the queue of `clientId`, at most `window` unsettled at once. */
  receive(clientId: string, window: number, onDelivery: (delivery: QueueDelivery) => void): Promise<void> {
    const receiver = this.#connection.open_receiver({
      source: { address: queueOf(clientId), capabilities: ['queue'] },
      credit_window: 0,
      autoaccept: false,
      autosettle: false,
      rcv_settle_mode: 0,
      snd_settle_mode: 0
    })
    const batch = Math.max(1, window >>> 1)
    let settled = 0
    receiver.on('message', ({ message, delivery }: EventContext) => {
      if (message === undefined || delivery === undefined) throw new Error('a message event has both')
      onDelivery({
        payload: payloadOf(message),
        accept() {
          delivery.accept()
          settled += 1
          if (settled < batch) return
          receiver.add_credit(settled)
          settled = 0
        }
      })
    })
    return new Promise((resolve, reject) => {
      receiver.once('receiver_open', () => {
        receiver.add_credit(window)
        resolve()
      })
      receiver.on('receiver_error', () =>
        reject(new Error(`${queueOf(clientId)}: ${String(receiver.error)}`))
      )
      receiver.on('receiver_close', () => reject(new Error(`${queueOf(clientId)} was closed`)))
    })
  }

  async close(): Promise<void> {
    if (!this.#connection.is_open()) return
    const gone = new Promise(resolve => {
      for (const event of ['connection_close', 'disconnected']) this.#connection.once(event, resolve)
    })
    this.#connection.close()
    await gone
  }

  #openSender(address: string): Promise<Sender> {
    const sender = this.#connection.open_sender({ target: { address } })
    return new Promise((resolve, reject) => {
      sender.once('sendable', () => resolve(sender))
      sender.on('sender_error', () => reject(new Error(`${address}: ${String(sender.error)}`)))
      sender.on('sender_close', () => reject(new Error(`${address} was closed`)))
      sender.connection.once('disconnected', () => reject(new Error('the connection was lost')))
    })
  }
}

function outcomeOf(sender: Sender, message: Message): Promise<void> {
  return new Promise((resolve, reject) => {
    for (const outcome of ['rejected', 'released', 'modified', 'disconnected']) {
      const refuse = (context: EventContext): void => {
        const remote: unknown = context.delivery?.remote_state
        reject(new Error(`${String(message.subject)}: ${outcome} ${JSON.stringify(remote)}`))
      }
      sender.once(outcome, refuse)
    }
    sender.once('accepted', () => resolve())
    sender.send(message)
  })
}

function closed(sender: Sender): Promise<void> {
  return new Promise(resolve => {
    sender.once('sender_close', () => resolve())
    sender.close()
  })
}

/** The data sections of a message: what MQTT calls the payload. */
function payloadOf(message: Message): Buffer {
  const body: unknown = message.body
  if (Buffer.isBuffer(body)) return body
  if (typeof body === 'object' && body !== null && 'content' in body) {
    const { content } = body
    if (Buffer.isBuffer(content)) return content
    if (Array.isArray(content)) return Buffer.concat(content.filter(part => Buffer.isBuffer(part)))
  }
  throw new Error('a publication that came from MQTT has data sections')
}
