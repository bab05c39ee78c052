// Publications: from a topic to everything that a filter leads to, subscriptions and queues alike.
// Rule: one copy for each, however many filters match; all receive all publications in one order. A publication that is made
// while another is under way comes after it.

import type { Message, Outcome, Route } from '../../plugin/host.js'
import { TopicTree } from '../../plugin/mqtt/topic-tree.js'
import { encodeMessage, withAnnotation } from '../rhea/message.js'
import { DurableQueue } from './durable-queue.js'
import { expiryOf } from './entry.js'
import { ACCEPTED, outcomeOfWrite } from './outcomes.js'
import type { Safe } from './queue-window.js'
import { RetainedTopics } from './retained-topics.js'
import type { Store } from './store.js'
import type { Subscription } from './subscription.js'

/** Says to which address a message was published where its `to` does not. */
const ORIGINAL_ADDRESS = 'x-opt-ORIG-ADDRESS'

export type TopicTarget = Subscription | DurableQueue
export type OnOutcome = (outcome: Outcome) => void

interface Publication {
  readonly topic: string
  readonly message: Message
  readonly onOutcome: OnOutcome
  readonly least: Safe
}

export class Topics {
  readonly #store: Store
  readonly #now: () => number
  readonly #tree = new TopicTree<TopicTarget>()
  readonly #retained = new RetainedTopics<TopicTarget>()
  readonly #nested: Publication[] = []
  /** what the present publication matches */
  readonly #queues: DurableQueue[] = []
  readonly #subscriptions: Subscription[] = []
  readonly #collect = (target: TopicTarget): void => {
    if (target.mark === this.#mark) return
    target.mark = this.#mark
    if (target instanceof DurableQueue) this.#queues.push(target)
    else this.#subscriptions.push(target)
  }
  #mark = 0
  #publishing = false

  constructor(store: Store, now: () => number) {
    this.#store = store
    this.#now = now
  }

  add(filter: string, target: TopicTarget, only?: Route['only']): void {
    if (only === 'retained') this.#retained.add(filter, target)
    else this.#tree.add(filter, target)
  }

  remove(filter: string, target: TopicTarget, only?: Route['only']): void {
    if (only === 'retained') this.#retained.remove(filter, target)
    else this.#tree.remove(filter, target)
  }

  /** `topic` is valid. `onOutcome` runs at once where nothing has to be written. `least`: how safe what was put before must be. */
  publish(topic: string, message: Message, onOutcome: OnOutcome, least: Safe = 'now'): void {
    if (this.#publishing) {
      this.#nested.push({ topic, message, onOutcome, least })
      return
    }
    this.#publishing = true
    try {
      this.#publish(topic, message, onOutcome, least)
      for (let next = this.#nested.shift(); next !== undefined; next = this.#nested.shift()) {
        this.#publish(next.topic, next.message, next.onOutcome, next.least)
      }
    } finally {
      this.#publishing = false
    }
  }

  #publish(topic: string, message: Message, onOutcome: OnOutcome, least: Safe): void {
    this.#mark++
    this.#queues.length = 0
    this.#subscriptions.length = 0
    this.#tree.match(topic, this.#collect)
    this.#retained.match(topic, message, this.#collect)
    const expiresAt = this.#queues.length + this.#subscriptions.length > 0 ? expiryOf(message, this.#now) : 0
    let copy: Message | undefined
    if (this.#queues.length > 0) {
      copy = addressed(message, topic)
      this.#enqueue(copy, expiresAt, onOutcome, least)
    }
    for (const subscription of this.#subscriptions) {
      subscription.take(subscription.annotated ? (copy ??= addressed(message, topic)) : message, expiresAt)
    }
    if (this.#queues.length === 0) answer(this.#store, least, onOutcome)
  }

  #enqueue(message: Message, expiresAt: number, onOutcome: OnOutcome, least: Safe): void {
    // once for all queues
    const copy = message.durable || this.#queues.length > 1 ? encodeMessage(message) : message
    let safe = least
    for (const queue of this.#queues) safe = safer(safe, queue.enqueue(copy, expiresAt))
    answer(this.#store, safe, onOutcome)
  }
}

/** Gives the outcome of what was put when it is safe. */
export function answer(store: Store, safe: Safe, onOutcome: OnOutcome): void {
  if (safe === 'durable') store.whenDurable(error => onOutcome(outcomeOfWrite(error)))
  else if (safe === 'written') store.whenWritten(error => onOutcome(outcomeOfWrite(error)))
  else onOutcome(ACCEPTED)
}

export const safer = (a: Safe, b: Safe): Safe => (a === 'durable' || b === 'now' ? a : b)

function addressed(message: Message, topic: string): Message {
  if (message.properties.to === topic && !message.annotations.has(ORIGINAL_ADDRESS)) return message
  return withAnnotation(message, ORIGINAL_ADDRESS, topic)
}
