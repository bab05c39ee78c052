// Measures a stretch of load: time, the server's CPU from outside, and the generator's own.

import { cpuSeconds, peakRssBytes } from './proc.js'
import type { Sample } from './scenarios/types.js'

export class Meter {
  readonly #pid: number
  readonly #startedAt = performance.now()
  readonly #generator = process.cpuUsage()
  readonly #server: number

  constructor(pid: number) {
    this.#pid = pid
    this.#server = cpuSeconds(pid)
  }

  /** What `messages` cost since this meter was made. Shares are of one core. */
  sample(messages: number): Sample {
    const seconds = (performance.now() - this.#startedAt) / 1000
    const server = cpuSeconds(this.#pid) - this.#server
    const used = process.cpuUsage(this.#generator)
    const generator = (used.user + used.system) / 1e6
    return {
      messagesPerSecond: messages / seconds,
      serverCpuUs: (server / messages) * 1e6,
      serverCpuShare: server / seconds,
      generatorCpuUs: (generator / messages) * 1e6,
      generatorCpuShare: generator / seconds,
      serverPeakMb: peakRssBytes(this.#pid) / 1e6
    }
  }
}
