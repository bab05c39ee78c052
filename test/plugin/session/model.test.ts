// Random sequences of what a client, a host and a socket may do, against what must hold at every moment.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { BridgeError } from '../../../plugin/errors.js'
import type { OutboundPacket, Qos } from '../../../plugin/mqtt/packets.js'
import type { Action, OutboundDelivery, SessionEvent, Token } from '../../../plugin/session/types.js'
import { step } from './steps.js'
import type { Step } from './steps.js'
import { delivery, Driver, publish, subscribe } from './driver.js'

const LIMITS = { receiveMaximum: 3, bufferedBytes: 1500, publishRetries: 1 }
const KEEP_ALIVE_S = 60
const ERROR = new BridgeError('serverUnavailable', 'test')

/** What was asked of the bridge and not answered. */
type Request = Action & { readonly type: 'subscribe' | 'unsubscribe' }

/** A QoS 1 PUBLISH of the client without its PUBACK. */
interface Unacknowledged {
  readonly id: number
  readonly token: Token
  accepted: boolean
}

/** The session under test with all that it was told and has said. */
class Model {
  readonly #driver = Driver.connected(LIMITS, { keepAliveS: KEEP_ALIVE_S })
  readonly #sent: Token[] = []
  readonly #unacknowledged: Unacknowledged[] = []
  readonly #requests: Request[] = []
  /** by packet id */
  readonly #inFlight = new Map<number, OutboundDelivery>()
  readonly #numbers = new Map<OutboundDelivery['publication'], number>()
  readonly #unsettled = new Set<OutboundDelivery>()
  #delivered = 0
  #lastWritten = -1
  #waitingOrWritten = 0
  #written = 0
  #full = false
  #reading = true
  #lastPacketAt = this.#driver.now
  #closed = false

  run(next: Step): void {
    switch (next.do) {
      case 'publish':
        return this.#publish(next.id, next.dup, next.qos)
      case 'outcome':
        return this.#outcome(next.pick, next.type)
      case 'deliver':
        return this.#deliver(next)
      case 'puback':
        return this.#puback(next.pick)
      case 'socket':
        this.#full = next.full
        return this.#give({ type: next.full ? 'congested' : 'uncongested' })
      case 'subscribe': {
        const packet = subscribe(9, ...next.filters.map((filter): [string, Qos] => [filter, 1]))
        return this.#packet(packet)
      }
      case 'unsubscribe':
        return this.#packet({ cmd: 'unsubscribe', packetId: 9, filters: next.filters })
      case 'answer':
        return this.#answer(next.pick, next.type)
      case 'wait':
        return this.#wait(next.ms, next.reading)
      case 'disconnect':
        return this.#packet({ cmd: 'disconnect' })
      case 'disconnected':
        return this.#give({ type: 'disconnected' })
      case 'connect':
        return this.#packet({ cmd: 'connect', protocolVersion: 4, clientId: 'x', clean: true, keepAliveS: 0 })
      default:
        return next satisfies never
    }
  }

  /** Everything is answered, and everything that was not dropped has come. */
  finish(): void {
    this.run({ do: 'socket', full: false })
    while (this.#inFlight.size > 0 && !this.#closed) this.#puback(0)
    while (this.#sent.length > 0 && !this.#closed) this.#outcome(0, 'accepted')
    if (this.#closed) return
    assert.equal(this.#unacknowledged.length, 0)
    assert.equal(this.#written, this.#waitingOrWritten)
    assert.equal(this.#unsettled.size, 0)
    assert.equal(this.#driver.session.waitingBytes, 0)
    assert.equal(this.#driver.session.unanswered, this.#requests.length)
  }

  #packet(packet: Parameters<Driver['packet']>[0]): void {
    this.#lastPacketAt = this.#driver.now
    this.#give({ type: 'packet', packet })
  }

  #publish(id: number, dup: boolean, qos: Qos): void {
    const again = dup && qos > 0 && this.#unacknowledged.some(entry => entry.id === id)
    const before = this.#sent.length
    this.#packet(publish(qos === 0 ? {} : { packetId: id, dup, qos }))
    if (this.#closed) return
    assert.equal(this.#sent.length, again ? before : before + 1)
    if (qos > 0 && !again)
      this.#unacknowledged.push({ id, token: this.#sent.at(-1) as Token, accepted: false })
  }

  #outcome(at: number, type: 'accepted' | 'failed'): void {
    if (this.#sent.length === 0) return
    const [token] = this.#sent.splice(at % this.#sent.length, 1) as [Token]
    const entry = this.#unacknowledged.find(other => other.token === token)
    if (entry !== undefined && type === 'accepted') entry.accepted = true
    this.#give({ type: 'outcome', token, result: { type } })
    // what is accepted and has nothing before it was acknowledged
    if (!this.#closed) assert.notEqual(this.#unacknowledged[0]?.accepted, true)
  }

  #deliver({ qos, granted, size, settles }: Step & { do: 'deliver' }): void {
    const settle = settles ? () => undefined : undefined
    const given = delivery({ qos, payload: Buffer.alloc(size) }, { grantedQos: granted, settle })
    this.#numbers.set(given.publication, this.#delivered++)
    this.#waitingOrWritten++
    if (settles) this.#unsettled.add(given)
    this.#give({ type: 'delivery', delivery: given })
  }

  #puback(at: number): void {
    const ids = [...this.#inFlight.keys()]
    const packetId = ids[at % (ids.length + 1)] ?? ids[0] ?? 40_000
    const acknowledged = this.#inFlight.get(packetId)
    this.#inFlight.delete(packetId)
    const wasUnsettled = acknowledged !== undefined && this.#unsettled.has(acknowledged)
    this.#packet({ cmd: 'puback', packetId })
    if (wasUnsettled && !this.#closed) assert.ok(!this.#unsettled.has(acknowledged))
  }

  #answer(at: number, type: 'answered' | 'unanswered'): void {
    if (this.#requests.length === 0) return
    const [request] = this.#requests.splice(at % this.#requests.length, 1) as [Request]
    const { token } = request
    if (type === 'answered') this.#give({ type, token, codes: request.filters.map(() => 0) })
    else this.#give({ type, token, error: ERROR })
  }

  #wait(ms: number, reading: boolean): void {
    this.#driver.now += ms
    if (reading !== this.#reading) this.#give({ type: reading ? 'resumed' : 'paused' })
    if (reading && !this.#reading) this.#lastPacketAt = this.#driver.now
    this.#reading = reading
    const silent = this.#driver.now - this.#lastPacketAt >= KEEP_ALIVE_S * 1500
    const closed = this.#closed || (silent && reading)
    this.#give({ type: 'timeout' })
    assert.equal(this.#closed, closed)
  }

  #give(event: SessionEvent): void {
    const actions = this.#driver.give(event)
    if (this.#closed) assert.deepEqual(actions, [])
    for (const [i, action] of actions.entries()) this.#check(action, i === actions.length - 1)
    const { session, now } = this.#driver
    assert.ok(session.waitingBytes <= LIMITS.bufferedBytes)
    assert.ok(this.#inFlight.size <= LIMITS.receiveMaximum)
    assert.equal(session.phase, this.#closed ? 'closed' : 'connected')
    if (this.#closed) assert.equal(session.deadline, undefined)
    else if (event.type === 'packet') assert.equal(session.deadline ?? now, this.#deadline(now))
  }

  #deadline(now: number): number {
    return this.#reading ? now + KEEP_ALIVE_S * 1500 : now
  }

  #check(action: Action, isLast: boolean): void {
    assert.ok(!this.#closed)
    switch (action.type) {
      case 'send':
        this.#sent.push(action.token)
        return
      case 'subscribe':
      case 'unsubscribe':
        assert.ok(action.filters.length > 0)
        this.#requests.push(action)
        return
      case 'write':
        return this.#checkWritten(action)
      case 'dropped':
        this.#waitingOrWritten--
        return
      case 'settle':
        assert.ok(this.#unsettled.delete(action.delivery))
        assert.ok(![...this.#inFlight.values()].includes(action.delivery))
        return
      case 'close':
        assert.ok(isLast)
        this.#closed = true
        return
      case 'warn':
        return
      case 'open':
        return assert.fail('a second open')
      default:
        return action satisfies never
    }
  }

  #checkWritten({ packet, publication }: Action & { type: 'write' }): void {
    if (packet.cmd === 'puback') {
      const first = this.#unacknowledged.shift()
      assert.ok(first?.accepted === true)
      assert.equal(packet.packetId, first.id)
    } else if (packet.cmd === 'publish') {
      assert.ok(!this.#full)
      assert.ok(publication !== undefined)
      const number = this.#numbers.get(publication) ?? -1
      assert.ok(number > this.#lastWritten)
      this.#lastWritten = number
      this.#written++
      this.#checkId(packet, publication)
    }
  }

  #checkId(packet: OutboundPacket & { cmd: 'publish' }, publication: OutboundDelivery['publication']): void {
    assert.equal(packet.qos > 0, packet.packetId !== undefined)
    if (packet.packetId === undefined) return
    assert.ok(!this.#inFlight.has(packet.packetId))
    const unsettled = [...this.#unsettled].find(other => other.publication === publication)
    this.#inFlight.set(packet.packetId, unsettled ?? delivery(publication))
  }
}

describe('Session, whatever comes', () => {
  it('keeps order, bounds and ids, and says nothing after close [MQTT3-4.6.0-2] [MQTT3-4.6.0-6] [MQTT3-2.3.1-4]', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150, size: 'max' }), steps => {
        const model = new Model()
        for (const next of steps) model.run(next)
        model.finish()
      }),
      { numRuns: 2000 }
    )
  })
})
