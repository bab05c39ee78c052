// The program's metrics: numbers that whoever asks can read at once.
// Rule: a name with its labels is one counter for the life of the process; a gauge is read only when somebody looks.

import type { Counter, Metrics } from '../../plugin/host.js'

/** One number as it is now. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly read: () => number
}

export class MetricsRegistry implements Metrics {
  readonly #counters = new Map<string, Counter & Series>()
  readonly #gauges = new Set<Series>()

  counter(name: string, labels: Readonly<Record<string, string>>): Counter {
    const key = JSON.stringify([name, Object.entries(labels).sort()])
    const known = this.#counters.get(key)
    if (known !== undefined) return known
    let total = 0
    const made = {
      name,
      labels: { ...labels },
      read: () => total,
      add(count: number) {
        total += count
      }
    }
    this.#counters.set(key, made)
    return made
  }

  gauge(name: string, labels: Readonly<Record<string, string>>, read: () => number): { close(): void } {
    const made = { name, labels: { ...labels }, read }
    this.#gauges.add(made)
    return { close: () => void this.#gauges.delete(made) }
  }

  /** All counters and open gauges. */
  samples(): Sample[] {
    return [...this.#counters.values(), ...this.#gauges].map(({ name, labels, read }) => ({
      name,
      labels,
      value: read()
    }))
  }
}
