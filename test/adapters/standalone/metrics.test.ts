// The metrics registry: one counter per name and labels, gauges read only when asked.

import assert from 'node:assert/strict'

import { MetricsRegistry } from '../../../adapters/standalone/metrics.js'

describe('standalone metrics', () => {
  it('gives the same counter for the same name and labels, in any order', () => {
    const metrics = new MetricsRegistry()
    metrics.counter('n', { a: '1', b: '2' }).add(1)
    metrics.counter('n', { b: '2', a: '1' }).add(2)
    metrics.counter('n', { a: '1', b: '3' }).add(4)
    assert.deepEqual(
      metrics.samples().map(({ labels, value }) => [labels, value]),
      [
        [{ a: '1', b: '2' }, 3],
        [{ a: '1', b: '3' }, 4]
      ]
    )
  })

  it('reads a gauge when somebody looks, and not after it closed', () => {
    const metrics = new MetricsRegistry()
    let value = 1
    const gauge = metrics.gauge('g', {}, () => value)
    value = 7
    assert.deepEqual(metrics.samples(), [{ name: 'g', labels: {}, value: 7 }])
    gauge.close()
    assert.deepEqual(metrics.samples(), [])
  })
})
