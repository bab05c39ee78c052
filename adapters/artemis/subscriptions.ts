// Subscriptions to topics that last as long as their links.
// Rule: a queue of its own, gone with its consumer. On a topic without wildcards it is a queue of that very address, which costs the
// broker least; what a wildcard matches comes by a divert, since nothing else tells the topic, and a publisher may forge `to`.

import { randomUUID } from 'node:crypto'
import { AmqpError } from '../../plugin/errors.js'
import type {
  AmqpConnection,
  Delivery,
  Receiver,
  ReceiverOptions,
  Source,
  SourceOptions
} from '../../plugin/host.js'
import { isWildcard } from '../../plugin/mqtt/topic.js'
import type { Broker } from './broker.js'
import { translated, translating } from './broker-errors.js'
import { SUBSCRIPTION, subscriptionDivert, subscriptionOf } from './names.js'
import { divertFilter } from './routes.js'

export interface SubscriptionParts {
  readonly broker: Broker
  /** addresses of the host that are no topics */
  readonly hostQueues: readonly string[]
  /** those that are open */
  readonly subscriptions: Set<Subscription>
}

type Options = Omit<ReceiverOptions, 'address' | 'kind'>

export class Subscription implements Receiver {
  readonly address: string
  readonly #parts: SubscriptionParts
  readonly #queue: string
  readonly #node: string
  #receiver: Receiver | undefined

  private constructor(filter: string, parts: SubscriptionParts) {
    this.address = filter
    this.#parts = parts
    this.#queue = `${SUBSCRIPTION}${randomUUID()}`
    this.#node = isWildcard(filter) ? this.#queue : `${filter}::${this.#queue}`
  }

  /** Resolves when the next publication comes. */
  static async open(
    connection: AmqpConnection,
    filter: string,
    options: Options,
    parts: SubscriptionParts
  ): Promise<Subscription> {
    const subscription = new Subscription(filter, parts)
    try {
      await subscription.#attach(connection, options)
      return subscription
    } catch (error) {
      parts.subscriptions.delete(subscription)
      await subscription.#receiver?.close()
      throw error
    }
  }

  async #attach(connection: AmqpConnection, options: Options): Promise<void> {
    const { broker, hostQueues, subscriptions } = this.#parts
    const wild = this.#node === this.#queue
    await broker.createTemporaryQueue(this.#queue, wild ? undefined : this.address)
    const onClosed: Options['onClosed'] = closed => {
      subscriptions.delete(this)
      this.stop().catch(() => undefined) // the broker is gone: whoever finds it again looks for what is left
      options.onClosed?.(closed)
    }
    this.#receiver = await translating(connection.openReceiver({ ...options, onClosed, address: this.#node }))
    subscriptions.add(this)
    if (!wild) return
    const condition = divertFilter({ filter: this.address }, hostQueues)
    await broker.createDivert({
      name: subscriptionDivert(this.#queue),
      'routing-name': this.#queue,
      address: this.address,
      'forwarding-address': this.#queue,
      'routing-type': 'ANYCAST',
      ...(condition === undefined ? {} : { 'filter-string': condition })
    })
  }

  get name(): string {
    return this.#receiver?.name ?? ''
  }

  /** Where a message comes to this subscription alone. */
  get node(): string {
    return this.#node
  }

  addCredit(credit: number): void {
    this.#receiver?.addCredit(credit)
  }

  async drain(): Promise<void> {
    await this.#receiver?.drain()
  }

  async close(error?: Parameters<Receiver['close']>[0]): Promise<void> {
    this.#parts.subscriptions.delete(this)
    await this.stop()
    await this.#receiver?.close(error)
    // a topic may be in use again soon, and each address is written to disk
    await this.#parts.broker.destroyQueue(this.#queue, this.#node === this.#queue)
  }

  /** Nothing more is copied by a divert; on a topic it still is. */
  async stop(): Promise<void> {
    if (this.#node === this.#queue) await this.#parts.broker.destroyDivert(subscriptionDivert(this.#queue))
  }
}

/** Removes diverts of subscriptions whose process died: their queues are gone, and what they match would be copied to nobody. */
export async function removeStaleSubscriptions(broker: Broker): Promise<void> {
  const diverts = (await broker.divertNames()).filter(name => subscriptionOf(name) !== undefined)
  if (diverts.length === 0) return
  const queues = new Set(await broker.queueNames())
  for (const divert of diverts)
    if (!queues.has(subscriptionOf(divert) ?? '')) await broker.destroyDivert(divert)
}

const MARKER_SUBJECT = 'mqtt-over-amqp:end'

/** A subscription of the gateway's. Its end is a marker in its queue, behind which nothing is delivered. */
export async function openSource(
  connection: AmqpConnection,
  filter: string,
  options: SourceOptions,
  parts: SubscriptionParts
): Promise<Source> {
  const marker = randomUUID()
  let phase: 'open' | 'ending' | 'ended' = 'open'
  let onEnd: () => void = () => undefined
  const ended = new Promise<void>(resolve => (onEnd = resolve))
  const onDelivery = (delivery: Delivery): void => {
    const { subject, messageId } = delivery.message.properties
    if (phase === 'ended') delivery.settle({ type: 'accepted' })
    else if (subject === MARKER_SUBJECT && messageId === marker) {
      phase = 'ended'
      delivery.settle({ type: 'accepted' })
      onEnd()
    } else options.onDelivery(delivery)
  }
  let closing: Promise<void> | undefined
  const onClosed: SourceOptions['onClosed'] = closed => {
    onEnd()
    void connection.close()
    if (closing === undefined) options.onClosed(closed)
  }
  try {
    const { window } = options
    const subscription = await Subscription.open(connection, filter, { window, onDelivery, onClosed }, parts)
    const close = async (): Promise<void> => {
      phase = 'ending'
      await subscription.stop()
      await mark(connection, subscription.node, marker)
      await ended
      await subscription.close()
      await connection.close()
    }
    return { close: () => (closing ??= close()) }
  } catch (error) {
    await connection.close()
    throw error instanceof AmqpError ? translated(error) : error
  }
}

async function mark(connection: AmqpConnection, node: string, messageId: string): Promise<void> {
  let ready: () => void = () => undefined
  const credit = new Promise<void>(resolve => (ready = resolve))
  const sender = await translating(
    connection.openSender({ address: node, onCredit: () => ready(), onClosed: () => ready() })
  )
  await credit
  const properties = { messageId, subject: MARKER_SUBJECT }
  const empty = { annotations: new Map(), applicationProperties: new Map(), body: { type: 'none' } } as const
  if (sender.credit > 0) sender.send({ durable: false, deliveryCount: 0, properties, ...empty }) // else the link is gone
  await sender.close()
}
