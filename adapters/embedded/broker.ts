// The addresses of a space: what each one is, and what sending to it and receiving from it means.
// Rule: a queue goes before a topic; an address that starts with $ is a queue, is served, or is nothing.

import { randomUUID } from 'node:crypto'
import { AmqpError } from '../../plugin/errors.js'
import type { Logger, Message, ReceiverOptions, SenderOptions } from '../../plugin/host.js'
import { isControlAddress, isOwnedAddress } from '../../plugin/messages/addresses.js'
import { isValidTopicFilter, isValidTopicName, isWildcard } from '../../plugin/mqtt/topic.js'
import type { Attachment, ConsumerOptions } from './consumer.js'
import type { DeliveryTurns } from './delivery-turns.js'
import { DEAD_LETTER_QUEUE, type DurableQueue } from './durable-queue.js'
import type { DurableQueues } from './durable-queues.js'
import { expiryOf } from './entry.js'
import type { Limits } from './limits.js'
import { rejected, RELEASED } from './outcomes.js'
import type { Safe } from './queue-window.js'
import { REPLY_PREFIX } from './rights.js'
import type { ServedReaders } from '../rhea/serving/served-readers.js'
import type { ServedAddresses } from '../rhea/serving/served-addresses.js'
import type { Store } from './store.js'
import type { TakenIds } from './taken-ids.js'
import { Subscription } from './subscription.js'
import { answer, safer, type OnOutcome, type Topics } from './topics.js'
import { VolatileQueue } from './volatile-queue.js'

type Kind = ReceiverOptions['kind']
type SendKind = SenderOptions['kind']

export interface BrokerOptions {
  readonly store: Store
  readonly queues: DurableQueues
  readonly topics: Topics
  readonly taken: TakenIds
  readonly served: ServedAddresses
  readonly readers: ServedReaders
  /** names of the queues that the host itself has */
  readonly queueNames: ReadonlySet<string>
  readonly limits: Limits
  readonly turns: DeliveryTurns
  readonly now: () => number
  readonly log: Logger
}

/** What a receiver asked for. */
export type Node =
  | { readonly type: 'durable'; readonly address: string; readonly queue: DurableQueue }
  | { readonly type: 'volatile'; readonly address: string }
  | { readonly type: 'topic'; readonly address: string }

export class Broker {
  readonly options: BrokerOptions
  readonly #volatile = new Map<string, VolatileQueue>()
  readonly #subscriptions = new Set<Subscription>()

  constructor(options: BrokerOptions) {
    this.options = options
  }

  /** Throws where a sender to this address would reach nothing. */
  checkSend(address: string, kind: SendKind): void {
    const isQueue = this.#durableQueue(address) !== undefined || this.#volatile.has(address)
    if (isQueue && kind !== 'topic') return
    if (kind === 'queue' || address.startsWith('$'))
      throw new AmqpError('amqp:not-found', `there is no ${address}`)
    if (!isValidTopicName(address)) throw new AmqpError('amqp:not-allowed', `${address} is no topic`)
  }

  /**
   * Sends to an address that checkSend let pass, now or earlier. `id`: where a message with it was taken at this address, this one is
   * accepted and dropped.
   */
  send(address: string, message: Message, onOutcome: OnOutcome, kind?: SendKind, id?: Uint8Array): void {
    const queue = kind === 'topic' ? undefined : this.#durableQueue(address)
    if (queue !== undefined || kind === 'topic' || !address.startsWith('$')) {
      const to = queue ?? address
      return id === undefined
        ? this.#take(to, message, onOutcome)
        : this.#takeOnce(to, message, onOutcome, id)
    }
    const node = this.#volatile.get(address)
    if (node !== undefined) return node.enqueue(message, onOutcome)
    if (isControlAddress(address)) return onOutcome(RELEASED) // nobody is there now
    onOutcome(rejected('amqp:not-found', `there is no ${address}`))
  }

  /** Sends to any address, as a relay does. */
  relay(address: string, message: Message, onOutcome: OnOutcome, id?: Uint8Array): void {
    if (this.options.served.has(address)) {
      return onOutcome(rejected('amqp:not-allowed', `${address} needs a link of its own`))
    }
    if (!address.startsWith('$') && this.#durableQueue(address) === undefined && !isValidTopicName(address)) {
      return onOutcome(rejected('amqp:not-allowed', 'no topic: empty, with a wildcard, or no UTF-8'))
    }
    this.send(address, message, onOutcome, undefined, id)
  }

  /** What a receiver with this address attaches to. Throws `amqp:not-found` and `amqp:invalid-field`. */
  find(address: string | undefined, kind: Kind): Node {
    if (address === undefined) return { type: 'volatile', address: `${REPLY_PREFIX}${randomUUID()}` }
    if (kind !== 'topic') {
      const queue = this.#durableQueue(address)
      if (queue !== undefined) return { type: 'durable', address, queue }
      if (isControlAddress(address)) return { type: 'volatile', address }
    }
    if (kind === 'queue' || address.startsWith('$'))
      throw new AmqpError('amqp:not-found', `there is no ${address}`)
    if (!isValidTopicFilter(address))
      throw new AmqpError('amqp:invalid-field', `${address} is no topic filter`)
    return { type: 'topic', address }
  }

  /** Throws `amqp:resource-locked`. `name`: the link's, for the log. */
  attach(node: Node, name: string, consumer: ConsumerOptions): Attachment {
    switch (node.type) {
      case 'durable':
        return node.queue.attach(consumer)
      case 'volatile':
        return this.#volatileQueue(node.address).attach(consumer)
      case 'topic':
        if (consumer.browse !== true) return this.subscribe(node.address, name, consumer)
        throw new AmqpError('amqp:not-implemented', 'a topic has nothing to browse')
      default:
        return node satisfies never
    }
  }

  subscribe(filter: string, name: string, consumer: ConsumerOptions): Subscription {
    const { topics, limits, turns, now, log } = this.options
    const onEnded = (): void => {
      topics.remove(filter, subscription)
      this.#subscriptions.delete(subscription)
    }
    const { subscriptionBytes: maxBytes, unsettled: maxUnsettled } = limits
    // without a wildcard the filter itself says where its messages were published
    const annotated = isWildcard(filter)
    const options = { filter, annotated, name, maxBytes, maxUnsettled, turns, now, log, onEnded }
    const subscription: Subscription = new Subscription(options, consumer)
    this.#subscriptions.add(subscription)
    topics.add(filter, subscription)
    return subscription
  }

  /** A topic, where `to` is a name. */
  #take(to: DurableQueue | string, message: Message, onOutcome: OnOutcome, least: Safe = 'now'): void {
    const { topics, store, now } = this.options
    if (typeof to === 'string') return topics.publish(to, message, onOutcome, least)
    answer(store, safer(least, to.enqueue(message, expiryOf(message, now))), onOutcome)
  }

  #takeOnce(to: DurableQueue | string, message: Message, onOutcome: OnOutcome, id: Uint8Array): void {
    const { taken, store } = this.options
    const address = typeof to === 'string' ? `topic ${to}` : `queue ${to.id}`
    // a duplicate is accepted when the first is safe, which may be on its way to disk
    if (!taken.take(address, id)) return answer(store, 'durable', onOutcome)
    try {
      this.#take(to, message, onOutcome, message.durable ? 'durable' : 'now')
    } catch (error) {
      taken.giveBack() // a message that has no encoding was not sent
      throw error
    }
  }

  #durableQueue(address: string): DurableQueue | undefined {
    const { queues, queueNames } = this.options
    if (address === DEAD_LETTER_QUEUE) return queues.ensure(address)
    const queue = queues.get(address)
    // a queue that the configuration has no more keeps its messages, and is not reached
    return queue !== undefined && (isOwnedAddress(address) || queueNames.has(address)) ? queue : undefined
  }

  #volatileQueue(address: string): VolatileQueue {
    const existing = this.#volatile.get(address)
    if (existing !== undefined) return existing
    const { limits, turns, now, log } = this.options
    const queue = new VolatileQueue({
      address,
      maxBytes: limits.volatileQueueBytes,
      maxUnsettled: limits.unsettled,
      turns,
      now,
      onUnused: () => this.#volatile.delete(address),
      onBroken: error => log.error({ err: error, address }, 'a receiver of a volatile queue failed')
    })
    this.#volatile.set(address, queue)
    return queue
  }
}
