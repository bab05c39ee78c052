// Latency and cost at a fixed rate far below saturation: ten publishers, ten subscribers, each message a write of its own.
// Rule: the rate does not depend on the server: a slow one is not asked less.

import { publishPacket } from '../mqtt/packets.js'
import { RawClient } from '../mqtt/client.js'
import { Meter } from '../meter.js'
import type { Case, Load, Sample, Scenario, Target } from './types.js'

const PAIRS = 10
const PAYLOAD_BYTES = 100
/** of all publishers: little, and nearly half of what aedes does at saturation */
const RATES = [5_000, 30_000] as const
const DEFAULT_SECONDS = 4
const WARM_UP_SECONDS = 2
const DRAIN_MS = 5_000

class Flow {
  readonly latenciesMs: number[] = []
  received = 0
  sent = 0
  readonly #publishers: RawClient[] = []
  readonly #subscribers: RawClient[] = []
  readonly #packets: readonly Buffer[]
  readonly #rate: number

  private constructor(qos: 0 | 1, rate: number) {
    this.#rate = rate
    const payload = Buffer.alloc(PAYLOAD_BYTES)
    this.#packets = Array.from({ length: PAIRS }, (_, i) => publishPacket(topicOf(i), payload, qos, 1))
  }

  static async open(port: number, qos: 0 | 1, rate: number, onLost: () => void): Promise<Flow> {
    const flow = new Flow(qos, rate)
    for (let i = 0; i < PAIRS; i++) {
      const subscriber = await RawClient.connect(port, `bench-sub-${i}`, {
        onPublish: ({ bytes, payloadStart }) => {
          flow.received += 1
          flow.latenciesMs.push(performance.now() - bytes.readDoubleBE(payloadStart))
        },
        onLost
      })
      await subscriber.subscribe(topicOf(i), qos)
      flow.#subscribers.push(subscriber)
      flow.#publishers.push(await RawClient.connect(port, `bench-pub-${i}`, { onLost }))
    }
    return flow
  }

  /** Sends what the clock says is due, in turn over the publishers, for so many seconds. */
  send(seconds: number): Promise<void> {
    const startedAt = performance.now()
    const before = this.sent
    return new Promise(resolve => {
      const tick = setInterval(() => {
        const elapsed = Math.min((performance.now() - startedAt) / 1000, seconds)
        const due = before + Math.floor(elapsed * this.#rate)
        while (this.sent < due) this.#sendOne()
        if (elapsed < seconds) return
        clearInterval(tick)
        resolve()
      }, 1)
    })
  }

  async close(): Promise<void> {
    await Promise.all([...this.#publishers, ...this.#subscribers].map(client => client.end()))
  }

  #sendOne(): void {
    const i = this.sent % PAIRS
    const packet = Buffer.from(this.#packets[i] ?? [])
    packet.writeDoubleBE(performance.now(), packet.length - PAYLOAD_BYTES)
    const id = packet.length - PAYLOAD_BYTES - 2
    // with QoS 1 the packet id stands before the payload; the window is far below 60 000
    if (((packet[0] ?? 0) & 2) !== 0) packet.writeUInt16BE((Math.floor(this.sent / PAIRS) % 60_000) + 1, id)
    this.sent += 1
    this.#publishers[i]?.write(packet)
  }
}

const topicOf = (index: number): string => `bench/latency/${index}`

async function run(target: Target, parameters: Readonly<Record<string, number>>): Promise<Sample> {
  const { qos = 0, seconds = DEFAULT_SECONDS, rate = RATES[0] } = parameters
  let lost = (): void => {}
  const failed = new Promise<never>((_, reject) => {
    lost = () => reject(new Error('a connection was lost'))
  })
  const work = async (): Promise<Sample> => {
    const flow = await Flow.open(target.port, qos === 1 ? 1 : 0, rate, lost)
    await flow.send(WARM_UP_SECONDS)
    flow.latenciesMs.length = 0
    const before = flow.received
    const meter = new Meter(target.pid)
    await flow.send(seconds)
    const sample = meter.sample(flow.received - before)
    const deadline = performance.now() + DRAIN_MS
    while (flow.received < flow.sent) {
      if (performance.now() > deadline) throw new Error(`${flow.sent - flow.received} messages are missing`)
      await new Promise(resolve => setImmediate(resolve))
    }
    const sorted = flow.latenciesMs.sort((a, b) => a - b)
    const quantile = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? NaN
    await flow.close()
    return { ...sample, p50Ms: quantile(0.5), p99Ms: quantile(0.99), maxMs: quantile(1) }
  }
  return Promise.race([work(), failed])
}

function cases(load: Load): readonly Case[] {
  return load.qos.flatMap(qos =>
    RATES.map(rate => {
      const seconds = load.seconds ?? (load.messages === undefined ? DEFAULT_SECONDS : load.messages / rate)
      return { name: `QoS ${qos}, ${rate} messages/s`, parameters: { qos, seconds, rate } }
    })
  )
}

export const latency: Scenario = {
  name: 'latency',
  title: `${PAIRS} publishers to ${PAIRS} subscribers at a fixed rate, ${PAYLOAD_BYTES} bytes`,
  columns: [
    { key: 'p50Ms', title: 'p50 ms', digits: 2, compare: 'less' },
    { key: 'p99Ms', title: 'p99 ms', digits: 2, compare: 'less' },
    { key: 'maxMs', title: 'max ms', digits: 1 },
    { key: 'messagesPerSecond', title: 'messages/s', digits: 0 },
    { key: 'serverCpuUs', title: 'server CPU µs/message', digits: 2, compare: 'less' },
    { key: 'serverCpuShare', title: 'server CPU', digits: 2 },
    { key: 'generatorCpuShare', title: 'generator CPU', digits: 2 }
  ],
  cases,
  run
}
