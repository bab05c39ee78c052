// Metric names in one table, with what a host tells whoever reads them; every metric has the label `space`.
// Rule: a counter is looked up once and kept; the per-message path only adds.

import type { Counter, Metrics } from './host.js'

interface MetricRow {
  readonly type: 'counter' | 'gauge'
  readonly help: string
  /** all that its series have */
  readonly labels: readonly string[]
}

export const METRICS = {
  mqtt_connections: { type: 'gauge', help: 'MQTT connections that are open', labels: ['space'] },
  mqtt_clients: { type: 'gauge', help: 'MQTT clients whose CONNECT was accepted', labels: ['space'] },
  mqtt_connections_refused_total: {
    type: 'counter',
    help: 'MQTT connections closed at once: over the limit',
    labels: ['space']
  },
  mqtt_connects_total: {
    type: 'counter',
    help: 'CONNECT packets by protocol version and outcome: accepted, or why not',
    labels: ['space', 'protocol', 'outcome']
  },
  mqtt_disconnects_total: {
    type: 'counter',
    help: 'ended MQTT connections by reason',
    labels: ['space', 'reason']
  },
  mqtt_publications_inbound_total: {
    type: 'counter',
    help: 'publications from MQTT clients by QoS',
    labels: ['space', 'qos']
  },
  mqtt_publications_outbound_total: {
    type: 'counter',
    help: 'publications to MQTT clients by QoS',
    labels: ['space', 'qos']
  },
  mqtt_publications_dropped_total: {
    type: 'counter',
    help: 'publications dropped for slow MQTT clients by QoS',
    labels: ['space', 'qos']
  },
  mqtt_publications_rejected_total: {
    type: 'counter',
    help: 'publications of MQTT clients that the host rejected by QoS',
    labels: ['space', 'qos']
  },
  mqtt_inbox_sources: {
    type: 'gauge',
    help: 'topic filters that the inbox has a source for',
    labels: ['space']
  },
  mqtt_session_messages_dropped_total: {
    type: 'counter',
    help: 'messages that the bounds of a durable session kept out of its queue',
    labels: ['space']
  },
  mqtt_sessions_expired_total: {
    type: 'counter',
    help: 'durable sessions removed because nobody came back for them',
    labels: ['space']
  },
  mqtt_durable_sessions: {
    type: 'gauge',
    help: 'durable sessions known to the Subscription Service',
    labels: ['space']
  }
} as const satisfies Readonly<Record<string, MetricRow>>

export type MetricName = keyof typeof METRICS
type NamesOf<T extends 'counter' | 'gauge'> = {
  [K in MetricName]: (typeof METRICS)[K]['type'] extends T ? K : never
}[MetricName]

/** The metrics of one address space. */
export class SpaceMetrics {
  readonly #metrics: Metrics
  readonly #space: string
  readonly #gauges: { close(): void }[] = []

  constructor(metrics: Metrics, space: string) {
    this.#metrics = metrics
    this.#space = space
  }

  counter(name: NamesOf<'counter'>, labels: Readonly<Record<string, string>> = {}): Counter {
    return this.#metrics.counter(name, { space: this.#space, ...labels })
  }

  /** One counter per QoS, indexed by it. */
  countersByQos(name: NamesOf<'counter'>): readonly [Counter, Counter, Counter] {
    return [
      this.counter(name, { qos: '0' }),
      this.counter(name, { qos: '1' }),
      this.counter(name, { qos: '2' })
    ]
  }

  gauge(name: NamesOf<'gauge'>, read: () => number): void {
    this.#gauges.push(this.#metrics.gauge(name, { space: this.#space }, read))
  }

  close(): void {
    for (const gauge of this.#gauges.splice(0)) gauge.close()
  }
}
