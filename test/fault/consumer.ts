// An AMQP consumer of the queue that settles some of what it gets and holds the rest, as a slow one does.

import type { AmqpClient, QueueDelivery } from '../../bench/amqp/client.js'
import { labelOf, type Label } from './publisher.js'
import type { Random } from './random.js'
import { CLIENT_ID, type Scene } from './scene.js'
import { keyOf } from './verdict.js'

const WINDOW = 100
const ACCEPTED_SHARE = 0.7

export class Consumer {
  /** in the order in which they came */
  readonly delivered: Label[] = []
  /** keys */
  readonly accepted = new Set<string>()
  readonly #amqp: AmqpClient
  readonly #random: Random
  readonly #held: QueueDelivery[] = []
  #wanted: { readonly held: number; reached(): void } | undefined

  private constructor(amqp: AmqpClient, random: Random) {
    this.#amqp = amqp
    this.#random = random
  }

  static async attach(scene: Scene, random: Random): Promise<Consumer> {
    const amqp = await scene.amqp()
    const consumer = new Consumer(amqp, random)
    await amqp.receive(CLIENT_ID, WINDOW, delivery => consumer.#onDelivery(delivery))
    return consumer
  }

  /** What it holds unsettled. */
  get held(): readonly Label[] {
    return this.delivered.filter(label => !this.accepted.has(keyOf(label)))
  }

  /** Resolves when it holds so many. */
  async holds(held: number): Promise<void> {
    if (this.#held.length >= held) return
    await new Promise<void>(resolve => (this.#wanted = { held, reached: resolve }))
  }

  /** Resolves when the server has read everything that this consumer settled. */
  async settled(): Promise<void> {
    await this.#amqp.roundTrip()
  }

  #onDelivery(delivery: QueueDelivery): void {
    const label = labelOf(delivery.payload)
    this.delivered.push(label)
    if (this.#random.chance(ACCEPTED_SHARE)) {
      this.accepted.add(keyOf(label))
      delivery.accept()
      return
    }
    this.#held.push(delivery)
    if (this.#wanted !== undefined && this.#held.length >= this.#wanted.held) this.#wanted.reached()
  }
}
