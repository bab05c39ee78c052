// The metrics registry: one counter per name and labels, gauges read only when asked, and what prom-client makes of them.

import assert from 'node:assert/strict'

import { MetricsRegistry } from '../../../adapters/standalone/metrics.js'

const TABLE = {
  taken_total: { type: 'counter', help: 'what was taken', labels: ['a', 'b'] },
  there: { type: 'gauge', help: 'what is there', labels: ['a'] },
  unused_total: { type: 'counter', help: 'what nobody counts', labels: [] }
} as const

describe('standalone metrics', () => {
  it('gives the same counter for the same name and labels, in any order', () => {
    const metrics = new MetricsRegistry(TABLE)
    metrics.counter('taken_total', { a: '1', b: '2' }).add(1)
    metrics.counter('taken_total', { b: '2', a: '1' }).add(2)
    metrics.counter('taken_total', { a: '1', b: '3' }).add(4)
    assert.deepEqual(
      metrics.samples().map(({ labels, value }) => [labels, value]),
      [
        [{ a: '1', b: '2' }, 3],
        [{ a: '1', b: '3' }, 4]
      ]
    )
  })

  it('reads a gauge when somebody looks, and not after it closed', () => {
    const metrics = new MetricsRegistry(TABLE)
    let value = 1
    const gauge = metrics.gauge('there', {}, () => value)
    value = 7
    assert.deepEqual(metrics.samples(), [{ name: 'there', labels: {}, value: 7 }])
    gauge.close()
    assert.deepEqual(metrics.samples(), [])
  })

  it('tells names, helps, types, labels and numbers in the text format of Prometheus', async () => {
    const metrics = new MetricsRegistry(TABLE)
    const counter = metrics.counter('taken_total', { a: 'x', b: 'a "quoted"\nvalue' })
    counter.add(1)
    counter.add(2)
    let there = 5
    const gauge = metrics.gauge('there', { a: 'x' }, () => there)
    const observed = metrics.observe('taken_total', { a: 'y', b: 'z' }, () => 9)
    assert.match(metrics.contentType, /^text\/plain; version=0\.0\.4/)
    assert.deepEqual(lines(await metrics.text()), [
      '# HELP taken_total what was taken',
      '# TYPE taken_total counter',
      'taken_total{a="x",b="a \\"quoted\\"\\nvalue"} 3',
      'taken_total{a="y",b="z"} 9',
      '# HELP there what is there',
      '# TYPE there gauge',
      'there{a="x"} 5',
      '# HELP unused_total what nobody counts',
      '# TYPE unused_total counter',
      'unused_total 0'
    ])
    // asked again, nothing is counted twice, and what closed is gone
    there = 0
    observed.close()
    assert.ok((await metrics.text()).includes('there{a="x"} 0'))
    gauge.close()
    const text = await metrics.text()
    assert.ok(text.includes('taken_total{a="x",b="a \\"quoted\\"\\nvalue"} 3'))
    assert.ok(!text.includes('there{'))
    assert.ok(!text.includes('a="y"'))
  })

  it('refuses a name and a label that are not in the table', () => {
    const metrics = new MetricsRegistry(TABLE)
    assert.throws(() => metrics.counter('other_total', {}), /^RangeError: there is no metric other_total$/)
    assert.throws(() => metrics.gauge('there', { b: '1' }, () => 0), /the metric there has no label b$/)
  })
})

const lines = (text: string): string[] => text.split('\n').filter(line => line !== '')
