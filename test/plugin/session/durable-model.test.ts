// Random lives of a session that outlives its connections: a queue at the host, links that are lost, gateways that die, against what
// must hold at every moment. The queue is as a host keeps it: what comes back is delivered again, in order, before what is new.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { InFlightEntry } from '../../../plugin/messages/in-flight.js'
import type { Action, DeliveryOutcome } from '../../../plugin/session/types.js'
import { delivery, Driver } from './driver.js'

const WINDOW = 4

type Step =
  | { readonly do: 'publish'; readonly qos: 0 | 1 }
  | { readonly do: 'puback'; readonly pick: number }
  | { readonly do: 'socket'; readonly full: boolean }
  | { readonly do: 'lose' | 'attach' | 'leave' | 'kill' | 'crash' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('publish'), qos: fc.constantFrom(0, 1) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('puback'), pick: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('socket'), full: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('lose', 'attach', 'leave', 'kill', 'crash') }) }
)

interface Queued {
  readonly id: string
  readonly number: number
  readonly qos: 0 | 1
  failures: number
}

class Model {
  #driver = Driver.connected({ receiveMaximum: WINDOW }, { clean: false })
  /** in order, what is on its way among it */
  #queue: Queued[] = []
  readonly #unsettled = new Set<Queued>()
  #attached = true
  #link = 0
  #published = 0
  /** what this connection has sent and the client has not acknowledged: packet id → message */
  #open = new Map<number, Queued>()
  /** what the client must get again under these packet ids, in this order */
  #owed: readonly InFlightEntry[] = []
  /** what the host knows to be over, and forgets when it crashes: what was not on disk yet */
  #over: Queued[] = []
  /** what the client has acknowledged, whether the host knows or not */
  readonly #acknowledged = new Set<Queued>()
  readonly #received = new Set<number>()
  #lastNew = -1

  run(next: Step): void {
    switch (next.do) {
      case 'publish':
        this.#queue.push({ id: `q${this.#published}`, number: this.#published++, qos: next.qos, failures: 0 })
        return this.#pump()
      case 'puback':
        return this.#puback(next.pick)
      case 'socket':
        this.#perform(this.#driver.give({ type: next.full ? 'congested' : 'uncongested' }))
        return this.#pump()
      case 'lose':
        if (!this.#attached) return
        this.#takeBack(true)
        return this.#perform(this.#driver.give({ type: 'returned' }))
      case 'crash':
        return this.#crash()
      case 'attach':
        this.#attached = true
        return this.#pump()
      case 'leave':
        return this.#leave()
      case 'kill':
        return this.#kill()
      default:
        return next satisfies never
    }
  }

  /** All that was published with QoS 1 has come and is settled. */
  finish(): void {
    this.run({ do: 'attach' })
    this.run({ do: 'socket', full: false })
    while (this.#open.size > 0) this.#puback(0)
    assert.deepEqual(this.#queue, [])
    assert.deepEqual(this.#driver.session.unacknowledged, [])
    assert.equal(this.#driver.session.waitingBytes, 0)
  }

  get received(): ReadonlySet<number> {
    return this.#received
  }

  #pump(): void {
    for (;;) {
      if (!this.#attached || this.#unsettled.size >= WINDOW) return
      const next = this.#queue.find(message => !this.#unsettled.has(message))
      if (next === undefined) return
      this.#unsettled.add(next)
      const link = this.#link
      const settle = (outcome: DeliveryOutcome): void => {
        if (link !== this.#link || !this.#unsettled.delete(next)) return
        if (outcome === 'accepted') {
          this.#queue = this.#queue.filter(each => each !== next)
          this.#over.push(next)
        } else {
          next.failures += 1
        }
      }
      const payload = Buffer.from(String(next.number))
      const publication = { qos: next.qos, payload, dup: next.failures > 0 }
      const given = delivery(publication, { id: next.id, settle })
      this.#perform(this.#driver.give({ type: 'delivery', delivery: given }))
    }
  }

  #perform(actions: readonly Action[]): void {
    for (const action of actions) {
      if (action.type === 'settle') action.delivery.settle?.(action.outcome)
      else if (action.type === 'write' && action.packet.cmd === 'publish') this.#written(action)
      else assert.fail(action.type)
    }
  }

  #written({ packet, publication }: Action & { type: 'write' }): void {
    assert.ok(packet.cmd === 'publish' && publication !== undefined)
    const number = Number(Buffer.from(packet.payload))
    const fresh = !this.#received.has(number)
    // what is new comes in order
    if (fresh) assert.ok(number > this.#lastNew, `${number} after ${this.#lastNew}`)
    this.#lastNew = Math.max(this.#lastNew, number)
    this.#received.add(number)
    if (packet.packetId === undefined) return
    const message = this.#queue.find(each => each.number === number)
    assert.ok(message !== undefined, `${number} is over`)
    assert.ok(![...this.#open.values()].includes(message), `${number} was sent twice on one connection`)
    assert.ok(!this.#open.has(packet.packetId), `packet id ${packet.packetId} is in use`)
    this.#open.set(packet.packetId, message)
    assert.ok(packet.dup || fresh, `${number} came again without DUP`)
    const owed = this.#owed.find(({ id }) => id === message.id)
    if (owed === undefined) {
      assert.ok(
        this.#owed.length === 0 || this.#acknowledged.has(message),
        `${number} came before what is older`
      )
      assert.ok(!this.#owed.some(({ packetId }) => packetId === packet.packetId))
      return
    }
    assert.equal(owed, this.#owed[0])
    assert.deepEqual([packet.packetId, packet.dup], [owed.packetId, true])
    this.#owed = this.#owed.slice(1)
  }

  #puback(pick: number): void {
    const ids = [...this.#open.keys()]
    const packetId = ids[pick % ids.length]
    const message = packetId === undefined ? undefined : this.#open.get(packetId)
    if (packetId === undefined || message === undefined) return
    this.#open.delete(packetId)
    this.#acknowledged.add(message)
    this.#perform(this.#driver.packet({ cmd: 'puback', packetId }))
    this.#pump()
  }

  /** The link is gone; `vain`: what was not settled counts as delivered. */
  #takeBack(vain: boolean): void {
    this.#attached = false
    this.#link += 1
    if (vain) for (const message of this.#unsettled) message.failures += 1
    this.#unsettled.clear()
  }

  /** The connection ends, and another one has the session. */
  #leave(): void {
    this.#driver.give({ type: 'disconnected' })
    const { unacknowledged } = this.#driver.session
    const inFlight = unacknowledged.map(({ id, packetId }) => ({ id: id ?? assert.fail(), packetId }))
    // what the client was sent on this connection and has not acknowledged is there; the rest is from connections before
    const ids = new Map(inFlight.map(({ id, packetId }) => [packetId, id]))
    for (const [packetId, { id }] of this.#open) assert.equal(ids.get(packetId), id)
    assert.equal(ids.size, this.#open.size + this.#owed.length)
    for (const { delivery: sent } of unacknowledged) sent?.settle?.('failed')
    this.#takeBack(false)
    this.#come(inFlight)
  }

  /** The host comes back from its disk: what was over lately is not, and everything may have been delivered. */
  #crash(): void {
    if (this.#attached) this.#perform(this.#driver.give({ type: 'returned' }))
    this.#takeBack(false)
    this.#queue = [...this.#queue, ...this.#over.splice(0)].sort((a, b) => a.number - b.number)
    for (const message of this.#queue) message.failures += 1
    this.#attached = true
    this.#pump()
  }

  /** Nothing was written down but what came from the connection before. */
  #kill(): void {
    this.#takeBack(true)
    this.#come([])
  }

  #come(inFlight: readonly InFlightEntry[]): void {
    this.#driver = Driver.connected({ receiveMaximum: WINDOW }, { clean: false })
    this.#open = new Map()
    // after a crash of the host older ones may have been sent once more, later than what is newer
    this.#owed = [...inFlight].sort((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)))
    this.#perform(this.#driver.give({ type: 'restored', inFlight }))
    this.#attached = true
    this.#pump()
  }
}

describe('Session, durable model', () => {
  it('loses nothing, sends in order, and keeps packet ids, whatever happens [MQTT3-4.4.0-1] [MQTT3-4.6.0-1]', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), steps => {
        const model = new Model()
        let published = 0
        const withQos1: number[] = []
        for (const next of steps) {
          if (next.do === 'publish') {
            if (next.qos === 1) withQos1.push(published)
            published += 1
          }
          model.run(next)
        }
        model.finish()
        assert.deepEqual(
          withQos1.filter(number => !model.received.has(number)),
          []
        )
      }),
      { numRuns: Number(process.env['SEEDS'] ?? 2000) }
    )
  })
})
