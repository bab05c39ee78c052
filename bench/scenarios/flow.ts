// One publisher to so many subscribers on one topic, at saturation; the load of several scenarios.
// Rule: the load is closed by a window per flow, so that no server has reason to drop, and all must have arrived at the end.

import { PublishRing } from '../mqtt/packets.js'
import { RawClient, type PublishView } from '../mqtt/client.js'
import type { Target } from './types.js'

export const PAYLOAD_BYTES = 100
const FILL = 0x61
/** published with QoS 1 and not yet acknowledged, per publisher */
const UNACKNOWLEDGED = 64

/** Length and both ends of what came are those of what was sent: a server that hands out wrong bytes is not measured. */
function checkPayload({ bytes, payloadStart, end }: PublishView): void {
  if (end - payloadStart === PAYLOAD_BYTES && bytes[payloadStart] === FILL && bytes[end - 1] === FILL) return
  throw new Error('a payload that was not sent')
}

export interface FlowOptions {
  readonly topic: string
  readonly qos: 0 | 1
  readonly subscribers: number
  /** published and not yet received */
  readonly window: number
  /** the publisher writes when it may write this many, so that a write system call carries several messages */
  readonly batch: number
}

export class Flow {
  sent = 0
  /** by all subscribers */
  received = 0
  acknowledged = 0
  readonly #options: FlowOptions
  readonly #ring: PublishRing
  readonly #onProgress: () => void
  readonly #clients: RawClient[] = []
  #publisher: RawClient | undefined
  #stopped = true

  private constructor(options: FlowOptions, onProgress: () => void) {
    const { topic, qos } = options
    this.#options = options
    this.#ring = new PublishRing(topic, Buffer.alloc(PAYLOAD_BYTES, FILL), qos, 1000)
    this.#onProgress = onProgress
  }

  /** `onProgress`: after each chunk that a socket brings. `onLost`: a connection went. */
  static async open(
    { port }: Target,
    options: FlowOptions,
    onProgress: () => void,
    onLost: () => void
  ): Promise<Flow> {
    const flow = new Flow(options, onProgress)
    const { topic, qos, subscribers } = options
    for (let i = 0; i < subscribers; i++) {
      const subscriber = await RawClient.connect(port, `sub-${i}-${topic}`, {
        onPublish: checkPayload,
        onTraffic: publishes => flow.#onReceived(publishes),
        onLost
      })
      await subscriber.subscribe(topic, qos)
      flow.#clients.push(subscriber)
    }
    flow.#publisher = await RawClient.connect(port, `pub-${topic}`, {
      onTraffic: (_, pubacks) => flow.#onAcknowledged(pubacks),
      onLost
    })
    flow.#clients.push(flow.#publisher)
    return flow
  }

  get idle(): boolean {
    const { qos, subscribers } = this.#options
    return this.received === this.sent * subscribers && (qos === 0 || this.acknowledged === this.sent)
  }

  start(): void {
    this.#stopped = false
    this.#pump()
  }

  /** Publishes no more; what is on its way arrives. */
  stop(): void {
    this.#stopped = true
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map(client => client.end()))
  }

  #pump(): void {
    if (this.#stopped) return
    const { qos, subscribers, window, batch } = this.#options
    const undelivered = window - (this.sent - Math.floor(this.received / subscribers))
    const unacknowledged = qos === 0 ? window : UNACKNOWLEDGED - (this.sent - this.acknowledged)
    let room = Math.min(undelivered, unacknowledged)
    if (room < batch) return
    this.sent += room
    while (room > 0) {
      const { bytes, count } = this.#ring.take(room)
      this.#publisher?.write(bytes)
      room -= count
    }
  }

  #onReceived(count: number): void {
    this.received += count
    this.#pump()
    this.#onProgress()
  }

  #onAcknowledged(count: number): void {
    this.acknowledged += count
    this.#pump()
    this.#onProgress()
  }
}
