// The program's metrics: numbers that are kept here, and shown by prom-client.
// Rule: a name with its labels is one counter for the life of the process, and an add is one addition; what is told about a
// name is in one table, and a gauge is read only when somebody looks.

import { Counter as PromCounter, Gauge as PromGauge, Registry } from 'prom-client'

import type { Counter, Metrics } from '../../plugin/host.js'

/** What is known of a metric beside its numbers; `labels` are all that its series may have. */
export interface MetricRow {
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly labels: readonly string[]
}

/** One number as it is now. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly read: () => number
}

export class MetricsRegistry implements Metrics {
  readonly #rows: ReadonlyMap<string, MetricRow>
  readonly #registry = new Registry()
  readonly #counters = new Map<string, Counter>()
  readonly #series = new Map<string, Set<Series>>()

  constructor(table: Readonly<Record<string, MetricRow>>) {
    this.#rows = new Map(Object.entries(table))
    for (const [name, row] of this.#rows) this.#register(name, row)
  }

  /** Content-Type of text(). */
  get contentType(): string {
    return this.#registry.contentType
  }

  counter(name: string, labels: Readonly<Record<string, string>>): Counter {
    const key = JSON.stringify([name, Object.entries(labels).sort()])
    const known = this.#counters.get(key)
    if (known !== undefined) return known
    let total = 0
    const made: Counter = {
      add(count) {
        total += count
      }
    }
    this.#show(name, { labels: { ...labels }, read: () => total })
    this.#counters.set(key, made)
    return made
  }

  gauge(name: string, labels: Readonly<Record<string, string>>, read: () => number): { close(): void } {
    return this.#show(name, { labels: { ...labels }, read })
  }

  /** A counter that somebody else keeps. */
  observe(name: string, labels: Readonly<Record<string, string>>, read: () => number): { close(): void } {
    return this.#show(name, { labels: { ...labels }, read })
  }

  /** All counters and open gauges. */
  samples(): Sample[] {
    return [...this.#series].flatMap(([name, series]) =>
      [...series].map(({ labels, read }) => ({ name, labels, value: read() }))
    )
  }

  /** The same in the text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  #show(name: string, series: Series): { close(): void } {
    const row = this.#rows.get(name)
    if (row === undefined) throw new RangeError(`there is no metric ${name}`)
    const label = Object.keys(series.labels).find(each => !row.labels.includes(each))
    if (label !== undefined) throw new RangeError(`the metric ${name} has no label ${label}`)
    const all = this.#series.get(name) ?? new Set<Series>()
    this.#series.set(name, all.add(series))
    return { close: () => void all.delete(series) }
  }

  /** prom-client asks for the numbers when it is asked: its own counting by labels costs a hundred times an addition. */
  #register(name: string, { type, help, labels }: MetricRow): void {
    const series = (): Iterable<Series> => this.#series.get(name) ?? []
    const options = { name, help, labelNames: [...labels], registers: [this.#registry] }
    if (type === 'gauge') {
      const gauge: PromGauge = new PromGauge({
        ...options,
        collect() {
          gauge.reset()
          for (const { labels, read } of series()) gauge.set(labels, read())
        }
      })
      return
    }
    const counter: PromCounter = new PromCounter({
      ...options,
      collect() {
        counter.reset()
        for (const { labels, read } of series()) counter.inc(labels, read())
      }
    })
  }
}
