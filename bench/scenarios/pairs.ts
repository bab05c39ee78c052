// Throughput at saturation: ten publishers, ten subscribers, publisher i to subscriber i on a topic of their own.
// Rule: the load is closed by a window per pair, so that no server has reason to drop, and all must have arrived at the end.

import { PublishRing } from '../mqtt/packets.js'
import { RawClient, type PublishView } from '../mqtt/client.js'
import { Meter } from '../meter.js'
import type { Case, Load, Sample, Scenario, Target } from './types.js'

const PAIRS = 10
const PAYLOAD_BYTES = 100
const FILL = 0x61
/** published and not yet received, per pair */
const WINDOW = 1000
/** published with QoS 1 and not yet acknowledged, per publisher */
const UNACKNOWLEDGED = 64
/** a publisher writes when it may write this many, so that a write system call carries several messages */
const BATCH = { 0: 64, 1: 16 } as const
const WARM_UP_SHARE = 0.5
const DEFAULT_MESSAGES = 400_000
const STALLED_MS = 10_000

/** Length and both ends of what came are those of what was sent: a server that hands out wrong bytes is not measured. */
function checkPayload({ bytes, payloadStart, end }: PublishView): void {
  if (end - payloadStart === PAYLOAD_BYTES && bytes[payloadStart] === FILL && bytes[end - 1] === FILL) return
  throw new Error('a payload that was not sent')
}

/** One publisher and its subscriber. */
class Pair {
  sent = 0
  received = 0
  acknowledged = 0
  readonly #qos: 0 | 1
  readonly #ring: PublishRing
  readonly #onProgress: () => void
  readonly #clients: RawClient[] = []
  #publisher: RawClient | undefined
  #stopped = false

  constructor(topic: string, qos: 0 | 1, onProgress: () => void) {
    this.#qos = qos
    this.#ring = new PublishRing(topic, Buffer.alloc(PAYLOAD_BYTES, FILL), qos, WINDOW)
    this.#onProgress = onProgress
  }

  static async open(target: Target, index: number, qos: 0 | 1, onProgress: () => void, onLost: () => void) {
    const topic = `bench/pairs/${index}`
    const pair = new Pair(topic, qos, onProgress)
    const subscriber = await RawClient.connect(target.port, `bench-sub-${index}`, {
      onPublish: checkPayload,
      onTraffic: publishes => pair.#onReceived(publishes),
      onLost
    })
    await subscriber.subscribe(topic, qos)
    pair.#publisher = await RawClient.connect(target.port, `bench-pub-${index}`, {
      onTraffic: (_, pubacks) => pair.#onAcknowledged(pubacks),
      onLost
    })
    pair.#clients.push(subscriber, pair.#publisher)
    return pair
  }

  get idle(): boolean {
    return this.received === this.sent && (this.#qos === 0 || this.acknowledged === this.sent)
  }

  pump(): void {
    if (this.#stopped) return
    const undelivered = WINDOW - (this.sent - this.received)
    const unacknowledged = this.#qos === 0 ? WINDOW : UNACKNOWLEDGED - (this.sent - this.acknowledged)
    let room = Math.min(undelivered, unacknowledged)
    if (room < BATCH[this.#qos]) return
    this.sent += room
    while (room > 0) {
      const { bytes, count } = this.#ring.take(room)
      this.#publisher?.write(bytes)
      room -= count
    }
  }

  stop(): void {
    this.#stopped = true
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map(client => client.end()))
  }

  #onReceived(count: number): void {
    this.received += count
    this.pump()
    this.#onProgress()
  }

  #onAcknowledged(count: number): void {
    this.acknowledged += count
    this.pump()
    this.#onProgress()
  }
}

async function run(target: Target, parameters: Readonly<Record<string, number>>): Promise<Sample> {
  const qos = parameters['qos'] === 1 ? 1 : 0
  const { messages = 0, seconds = 0, warmUp = 0 } = parameters
  const pairs: Pair[] = []
  const total = (): number => pairs.reduce((sum, pair) => sum + pair.received, 0)
  let check = (): void => {}
  let fail = (_: Error): void => {}
  const failed = new Promise<never>((_, reject) => (fail = reject))
  const state = (): string => pairs.map(p => `${p.sent}/${p.acknowledged}/${p.received}`).join(' ')
  /** Resolves when `reached`, which is asked after each chunk that a socket brings. */
  const until = (reached: () => boolean): Promise<unknown> => {
    const done = new Promise<void>(resolve => {
      check = () => {
        if (reached()) resolve()
      }
    })
    check()
    return Promise.race([done, failed])
  }
  for (let i = 0; i < PAIRS; i++) {
    const onLost = (): void =>
      fail(new Error(`a connection was lost; sent/acknowledged/received: ${state()}`))
    pairs.push(await Promise.race([Pair.open(target, i, qos, () => check(), onLost), failed]))
  }
  let last = 0
  const watch = setInterval(() => {
    if (total() === last) fail(new Error(`stands still; sent/acknowledged/received: ${state()}`))
    last = total()
  }, STALLED_MS)
  try {
    for (const pair of pairs) pair.pump()
    await until(() => total() >= warmUp)
    const meter = new Meter(target.pid)
    const start = total()
    const end = performance.now() + seconds * 1000
    await until(seconds > 0 ? () => performance.now() >= end : () => total() >= start + messages)
    const sample = meter.sample(total() - start)
    for (const pair of pairs) pair.stop()
    await until(() => pairs.every(pair => pair.idle))
    await Promise.all(pairs.map(pair => pair.close()))
    return sample
  } finally {
    clearInterval(watch)
  }
}

function cases(load: Load): readonly Case[] {
  const messages = load.messages ?? DEFAULT_MESSAGES
  return load.qos.map(qos => ({
    name: `QoS ${qos}`,
    parameters: {
      qos,
      messages,
      seconds: load.seconds ?? 0,
      warmUp: Math.round(messages * WARM_UP_SHARE)
    }
  }))
}

export const pairs: Scenario = {
  name: 'pairs',
  title: `${PAIRS} publishers to ${PAIRS} subscribers, a topic per pair, ${PAYLOAD_BYTES} bytes`,
  columns: [
    { key: 'messagesPerSecond', title: 'messages/s', digits: 0, compare: 'more' },
    { key: 'serverCpuUs', title: 'server CPU µs/message', digits: 2, compare: 'less' },
    { key: 'serverCpuShare', title: 'server CPU', digits: 2 },
    { key: 'generatorCpuUs', title: 'generator µs/message', digits: 2 },
    { key: 'generatorCpuShare', title: 'generator CPU', digits: 2 },
    { key: 'serverPeakMb', title: 'server peak MB', digits: 0 }
  ],
  cases,
  run
}
