// Metrics of the host in this process, beside those of the plugin, in one table; every metric has the label `space`.
// Rule: they are read when somebody looks, from what the parts count for themselves.

import type { EmbeddedSpace } from '../embedded/index.js'
import type { MetricRow, MetricsRegistry } from './metrics.js'

export const HOST_METRICS = {
  amqp_connections: {
    type: 'gauge',
    help: 'AMQP connections of clients that are open',
    labels: ['space']
  },
  embedded_queues: {
    type: 'gauge',
    help: 'durable queues of the embedded broker, client queues among them',
    labels: ['space']
  },
  embedded_store_syncs_total: {
    type: 'counter',
    help: 'batches that the embedded broker synced to disk',
    labels: ['space']
  }
} as const satisfies Readonly<Record<string, MetricRow>>

/** Shows the numbers of a space's AMQP listener, for as long as the process lives. */
export function showListenerMetrics(
  metrics: MetricsRegistry,
  space: string,
  listener: { readonly connections: number }
): void {
  metrics.gauge('amqp_connections', { space }, () => listener.connections)
}

/** The same for a space of the embedded broker. */
export function showBrokerMetrics(metrics: MetricsRegistry, space: EmbeddedSpace): void {
  const labels = { space: space.name }
  metrics.gauge('embedded_queues', labels, () => space.statistics.queues)
  metrics.observe('embedded_store_syncs_total', labels, () => space.statistics.syncs)
}
