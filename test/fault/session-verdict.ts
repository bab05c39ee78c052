// Judges what a durable session's client got in a round with a fault.
// Rule: what was acknowledged to its publisher, and matched a subscription that was certainly there, came; the first of each in the
// order in which they were sent. What comes twice was sent twice by its publisher, or has DUP and was not acknowledged for sure; only
// what a broker gave from a backlog within 10 ms before it was killed may come again without DUP (docs/decisions/0011).

import assert from 'node:assert/strict'
import type { Label } from './publisher.js'
import type { Receipt, Roamer } from './roamer.js'

/** What a publisher did in the round; in the end all that it sent was acknowledged. */
export interface Published {
  readonly name: string
  readonly sent: number
  /** what comes after these it sent again */
  readonly acknowledged: number
}

export interface RoundFacts {
  readonly publishers: readonly Published[]
  /** the one of them that publishes to the filter that clients have at times */
  readonly side: Published
  /** payloads of retained messages that were acknowledged since the clients began, by who set them */
  readonly retained: ReadonlyMap<string, readonly string[]>
  /** Receipt.epoch when the broker was killed; undefined: it was not */
  readonly brokerLostAt: number | undefined
}

const labelOf = (payload: string): Label => {
  const [publisher = '', index = ''] = payload.split(' ')
  return { publisher, index: Number(index) }
}

/** What is looked at of a client. */
export type Judged = Pick<Roamer, 'clientId' | 'filters' | 'receipts' | 'spans'>

export class SessionVerdict {
  readonly #roamer: Judged
  /** of retained messages: the highest number that came, by who set them */
  readonly #highest = new Map<string, number>()
  readonly #came = new Set<string>()
  /** what came last to each topic with a retained message; empty: its removal */
  readonly last = new Map<string, string>()

  constructor(roamer: Judged) {
    this.#roamer = roamer
  }

  /** Throws where something is wrong with the round that has ended. */
  judge({ publishers, side, retained, brokerLostAt = -1 }: RoundFacts): void {
    const { clientId, spans } = this.#roamer
    const receipts = this.#roamer.receipts.filter(receipt => !receipt.retained)
    for (const publisher of publishers) {
      const all = Array.from({ length: publisher.sent }, (_, i) => i)
      const firsts = this.#firstsOf(publisher, receipts)
      assert.deepEqual(firsts, all, `${clientId}: all of ${publisher.name} comes, in order`)
    }
    this.#judgeSide(this.#firstsOf(side, receipts), side, index => spans.mustCome(index))
    this.#judgeRepeats(receipts, [...publishers, side], brokerLostAt)
    this.#judgeKept(receipts, retained)
  }

  #firstsOf({ name }: Published, receipts: readonly Receipt[]): readonly number[] {
    const labels = receipts.map(({ payload }) => labelOf(payload)).filter(l => l.publisher === name)
    return [...new Set(labels.map(({ index }) => index))]
  }

  #judgeSide(firsts: readonly number[], { name, sent }: Published, must: (index: number) => boolean): void {
    const { clientId, spans } = this.#roamer
    const inOrder = firsts.toSorted((a, b) => a - b)
    assert.deepEqual(firsts, inOrder, `${clientId}: what comes of ${name} comes in order`)
    const strange = firsts.filter(index => !spans.mayCome(index))
    assert.deepEqual(strange, [], `${clientId}: nothing of ${name} comes without a subscription`)
    const came = new Set(firsts)
    const missing = Array.from({ length: sent }, (_, i) => i).filter(i => must(i) && !came.has(i))
    assert.deepEqual(missing, [], `${clientId}: of ${name} comes what was subscribed to`)
  }

  #judgeRepeats(receipts: readonly Receipt[], published: readonly Published[], brokerLostAt: number): void {
    const before = new Map<string, Receipt[]>()
    for (const receipt of receipts) {
      const { topic, payload, dup, epoch } = receipt
      const key = `${topic} ${payload}`
      const earlier = before.get(key)
      before.set(key, [...(earlier ?? []), receipt])
      // a removal says nothing of which one it is
      if (earlier === undefined || payload === '') continue
      const { publisher, index } = labelOf(payload)
      const sentTwice = published.some(
        ({ name, acknowledged, sent }) => name === publisher && index >= acknowledged && index < sent
      )
      const fresh = earlier.filter(each => !each.dup).length
      const what = `${this.#roamer.clientId}: ${publisher} ${index} again, ${describe([...earlier, receipt])},`
      // what was on its way to the client when the broker died may come when that is known
      const unmarked = epoch >= brokerLostAt && earlier.every(each => each.epoch <= brokerLostAt)
      assert.ok(dup || (sentTwice && fresh < 2) || unmarked, `${what} without DUP`)
      const sure = earlier.filter(each => each.surelyAcknowledged === epoch).length
      assert.ok(sure < (sentTwice ? 2 : 1), `${what} after its acknowledgement`)
    }
  }

  /** What is set and removed with RETAIN comes as it happens. */
  #judgeKept(receipts: readonly Receipt[], retained: RoundFacts['retained']): void {
    const { clientId } = this.#roamer
    for (const { topic, payload } of receipts) {
      if (!topic.startsWith('kept/')) continue
      this.last.set(topic, payload)
      if (payload === '' || this.#came.has(payload)) continue
      const { publisher, index } = labelOf(payload)
      assert.ok(index > (this.#highest.get(publisher) ?? -1), `${clientId}: ${payload} comes late`)
      this.#highest.set(publisher, index)
      this.#came.add(payload)
    }
    if (!this.#roamer.filters.includes('kept/#')) return
    for (const payloads of retained.values()) {
      const missing = payloads.filter(payload => !this.#came.has(payload))
      assert.deepEqual(missing, [], `${clientId}: each retained publication comes`)
    }
  }
}

const describe = (receipts: readonly Receipt[]): string =>
  receipts.map(({ epoch, dup }) => `${dup ? 'DUP ' : ''}at ${epoch}`).join(', ')
