// Judges what came out of the queue after a fault. Rule: what a publisher published comes in two runs, what was stored before the
// fault and what it sent again after it; nothing else explains a message, and nothing that was acknowledged is explained away.

import assert from 'node:assert/strict'
import type { Label } from './publisher.js'
import type { Acknowledged } from './scene.js'

export const keyOf = ({ publisher, index }: Label): string => `${publisher} ${index}`

/**
 * Checks all publishers, and returns what was stored before the fault, in the order of the queue. `consumed`: keys of what a consumer
 * accepted before the fault, which may be gone.
 */
export function storedBefore(
  labels: readonly Label[],
  publishers: ReadonlyMap<string, Acknowledged>,
  consumed: ReadonlySet<string> = new Set()
): readonly Label[] {
  const stored = new Set<Label>()
  for (const [publisher, { sent, acknowledged }] of publishers) {
    const mine = labels.filter(label => label.publisher === publisher)
    const split = mine.length - (sent - acknowledged)
    const again = mine.slice(Math.max(0, split)).map(l => l.index)
    assert.deepEqual(
      again,
      range(acknowledged, sent),
      `${publisher}: what was not acknowledged comes last, in order`
    )
    const first = mine.slice(0, split)
    const end = Math.max(acknowledged, (first.at(-1)?.index ?? -1) + 1)
    const gone = (index: number): boolean => consumed.has(keyOf({ publisher, index }))
    const required = range(0, end).filter(index => !gone(index))
    const came = first.map(l => l.index)
    const unconsumed = came.filter(index => !gone(index))
    assert.deepEqual(
      unconsumed,
      required,
      `${publisher}: everything stored comes once, in order; ${acknowledged} acknowledged`
    )
    assert.deepEqual(
      came,
      [...new Set(came)].sort((a, b) => a - b),
      `${publisher}: nothing consumed comes twice or late`
    )
    assert.ok(end <= sent, `${publisher}: nothing comes that was not sent`)
    for (const label of first) stored.add(label)
  }
  const strangers = labels.filter(label => !publishers.has(label.publisher))
  assert.deepEqual(strangers, [], 'nothing comes from nobody')
  return labels.filter(label => stored.has(label))
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)
