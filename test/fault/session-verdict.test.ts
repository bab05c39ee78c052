// The judge of rounds with durable sessions, on rounds that are made up: it must see what is wrong.

import assert from 'node:assert/strict'
import type { Receipt } from './roamer.js'
import { SessionVerdict, type RoundFacts } from './session-verdict.js'
import { Spans } from './spans.js'

const LINK = {}

const receipt = (payload: string, fields: Partial<Receipt> = {}): Receipt => ({
  ...{ topic: 'fault/flow', payload, dup: false, retained: false, link: LINK, epoch: 0 },
  surelyAcknowledged: undefined,
  ...fields
})
const came = (...indexes: readonly number[]): Receipt[] => indexes.map(index => receipt(`p ${index}`))

const SIDE = { name: 'side', sent: 4, acknowledged: 4 }
const sideOf = (...indexes: readonly number[]): Receipt[] =>
  indexes.map(index => receipt(`side ${index}`, { topic: 'side/flow' }))

/** A subscription to the side that was certainly there for 1 and 2, and not for 0. */
function spans(): Spans {
  const made = new Spans()
  made.subscribing({ sent: 1, acknowledged: 1 })
  made.subscribed({ sent: 1, acknowledged: 1 })
  made.unsubscribing({ sent: 4, acknowledged: 3 })
  made.unsubscribed({ sent: 4, acknowledged: 4 })
  return made
}

function judge(receipts: Receipt[], facts: Partial<RoundFacts> = {}): void {
  const filters = ['fault/#', 'kept/#']
  const verdict = new SessionVerdict({ clientId: 'client', filters, receipts, spans: spans() })
  verdict.judge({
    publishers: [{ name: 'p', sent: 3, acknowledged: 2 }],
    side: SIDE,
    retained: new Map([['r', ['r 0', 'r 2']]]),
    brokerLostAt: undefined,
    ...facts
  })
}

const kept = ['r 0', 'r 2'].map(payload => receipt(payload, { topic: 'kept/r/1' }))
const good = [...came(0, 1, 2), ...sideOf(1, 2), ...kept]

describe('the judge of durable sessions', () => {
  it('finds nothing wrong with a round in which all came in order', () => {
    judge(good)
    judge([...good, ...sideOf(3)]) // sent before the UNSUBACK, and not acknowledged before the UNSUBSCRIBE
    judge([...came(0, 1, 2, 2), ...sideOf(1, 2), ...kept]) // its publisher sent it again
    judge([...good, receipt('p 0', { dup: true })])
    const late = receipt('p 1', { epoch: 2 })
    judge([...good, late], { brokerLostAt: 1 })
  })

  const faults: readonly (readonly [what: string, receipts: Receipt[], reason: RegExp])[] = [
    ['is lost', [...came(0, 2), ...sideOf(1, 2), ...kept], /all of p comes/],
    ['overtakes another', [...came(1, 0, 2), ...sideOf(1, 2), ...kept], /all of p comes, in order/],
    ['comes twice without DUP', [...good, receipt('p 0')], /p 0 again.* without DUP/],
    ['is lost to a subscription', [...came(0, 1, 2), ...sideOf(1), ...kept], /comes what was subscribed/],
    ['comes without a subscription', [...good, ...sideOf(0)], /in order/],
    [
      'comes before a subscription',
      [...came(0, 1, 2), ...sideOf(0, 1, 2), ...kept],
      /without a subscription/
    ],
    ['with RETAIN is lost', good.filter(({ payload }) => payload !== 'r 2'), /each retained publication/],
    ['with RETAIN is late', [...came(0, 1, 2), ...sideOf(1, 2), ...kept.toReversed()], /r 0 comes late/]
  ]
  for (const [what, receipts, reason] of faults)
    it(`sees a publication that ${what}`, () => {
      assert.throws(() => judge(receipts), reason)
    })

  it('sees what comes again after it was acknowledged for sure, while nothing was killed', () => {
    const [first, ...rest] = good
    assert.ok(first)
    const sure = { ...first, surelyAcknowledged: 0 }
    const again = { ...first, dup: true }
    assert.throws(() => judge([sure, ...rest, again]), /p 0 again.* after its acknowledgement/)
    judge([sure, ...rest, { ...again, epoch: 2 }])
  })
})
