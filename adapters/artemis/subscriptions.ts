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

interface SubscriptionParts {
  readonly broker: Broker
  readonly hostQueues: readonly string[]
}

type Options = Omit<ReceiverOptions, 'address' | 'kind'>

export class Subscription implements Receiver {
  readonly address: string
  readonly #broker: Broker
  readonly #queue: string
  readonly #node: string
  readonly #receiver: Receiver

  private constructor(filter: string, broker: Broker, queue: string, node: string, receiver: Receiver) {
    this.address = filter
    this.#broker = broker
    this.#queue = queue
    this.#node = node
    this.#receiver = receiver
  }

  /** Resolves when the next publication comes. */
  static async open(
    connection: AmqpConnection,
    filter: string,
    options: Options,
    { broker, hostQueues }: SubscriptionParts
  ): Promise<Subscription> {
    const queue = `${SUBSCRIPTION}${randomUUID()}`
    const wild = isWildcard(filter)
    await broker.createTemporaryQueue(queue, wild ? undefined : filter)
    const node = wild ? queue : `${filter}::${queue}`
    const receiver = await translating(connection.openReceiver({ ...options, address: node }))
    if (wild) {
      const condition = divertFilter({ filter }, hostQueues)
      try {
        await broker.createDivert({
          name: subscriptionDivert(queue),
          'routing-name': queue,
          address: filter,
          'forwarding-address': queue,
          'routing-type': 'ANYCAST',
          ...(condition === undefined ? {} : { 'filter-string': condition })
        })
      } catch (error) {
        await receiver.close()
        throw error
      }
    }
    return new Subscription(filter, broker, queue, node, receiver)
  }

  get name(): string {
    return this.#receiver.name
  }

  /** Where a message comes to this subscription alone. */
  get node(): string {
    return this.#node
  }

  addCredit(credit: number): void {
    this.#receiver.addCredit(credit)
  }

  drain(): Promise<void> {
    return this.#receiver.drain()
  }

  async close(error?: Parameters<Receiver['close']>[0]): Promise<void> {
    await this.stop()
    await this.#receiver.close(error)
    await this.#broker.destroyQueue(this.#queue)
  }

  /** Nothing more is copied by a divert; on a topic it still is. */
  async stop(): Promise<void> {
    if (this.#node === this.#queue) await this.#broker.destroyDivert(subscriptionDivert(this.#queue))
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
