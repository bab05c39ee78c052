// Flows at saturation, measured between a warm-up and an end at which nothing may be missing.
// Rule: a load that stands still, loses a connection or a message is an error that shows how far each flow came.

import { Meter } from '../meter.js'
import { Flow, type FlowOptions } from './flow.js'
import type { Column, Sample, Target } from './types.js'

const STALLED_MS = 10_000

/** A count of received messages, or a time. */
export interface Stretch {
  readonly warmUp: number
  readonly messages: number
  /** 0: as long as the messages take */
  readonly seconds: number
}

export const SATURATION_COLUMNS: readonly Column[] = [
  { key: 'messagesPerSecond', title: 'messages/s', digits: 0, compare: 'more' },
  { key: 'serverCpuUs', title: 'server CPU µs/message', digits: 2, compare: 'less' },
  { key: 'serverCpuShare', title: 'server CPU', digits: 2 },
  { key: 'generatorCpuUs', title: 'generator µs/message', digits: 2 },
  { key: 'generatorCpuShare', title: 'generator CPU', digits: 2 },
  { key: 'serverPeakMb', title: 'server peak MB', digits: 0 }
]

export class Saturation {
  readonly #target: Target
  readonly #flows: Flow[] = []
  readonly #failed: Promise<never>
  #fail: (error: Error) => void = () => undefined
  #check: () => void = () => undefined

  private constructor(target: Target) {
    this.#target = target
    this.#failed = new Promise<never>((_, reject) => (this.#fail = reject))
    this.#failed.catch(() => undefined) // whoever waits is told
  }

  static async open(target: Target, flows: readonly FlowOptions[]): Promise<Saturation> {
    const load = new Saturation(target)
    const onLost = (): void => load.#fail(new Error(`a connection was lost; ${load.#state}`))
    for (const options of flows) {
      const flow = Flow.open(target, options, () => load.#check(), onLost)
      load.#flows.push(await Promise.race([flow, load.#failed]))
    }
    return load
  }

  /** Warm-up, measure, and wait until all has arrived; may come again. */
  async measure({ warmUp, messages, seconds }: Stretch): Promise<Sample> {
    let last = -1
    const watch = setInterval(() => {
      if (this.#received === last) this.#fail(new Error(`stands still; ${this.#state}`))
      last = this.#received
    }, STALLED_MS)
    try {
      const begin = this.#received
      for (const flow of this.#flows) flow.start()
      await this.#until(() => this.#received >= begin + warmUp)
      const meter = new Meter(this.#target.pid)
      const start = this.#received
      const end = performance.now() + seconds * 1000
      await this.#until(
        seconds > 0 ? () => performance.now() >= end : () => this.#received >= start + messages
      )
      const sample = meter.sample(this.#received - start)
      for (const flow of this.#flows) flow.stop()
      await this.#until(() => this.#flows.every(flow => flow.idle))
      return sample
    } finally {
      clearInterval(watch)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#flows.map(flow => flow.close()))
  }

  get #received(): number {
    return this.#flows.reduce((sum, flow) => sum + flow.received, 0)
  }

  get #state(): string {
    return `sent/acknowledged/received: ${this.#flows.map(f => `${f.sent}/${f.acknowledged}/${f.received}`).join(' ')}`
  }

  /** Resolves when `reached`, which is asked after each chunk that a socket brings. */
  #until(reached: () => boolean): Promise<unknown> {
    const done = new Promise<void>(resolve => {
      this.#check = () => {
        if (reached()) resolve()
      }
    })
    this.#check()
    return Promise.race([done, this.#failed])
  }
}
