import assert from 'node:assert/strict'
import { BridgeError } from '../../../plugin/errors.js'
import type { InboundPacket } from '../../../plugin/mqtt/packets.js'
import { accepts, follow, PHASES } from '../../../plugin/session/phases.js'
import type { Phase } from '../../../plugin/session/phases.js'
import type { SessionEvent } from '../../../plugin/session/types.js'
import { ACCEPTED, assertCloses, CONNECT, delivery, Driver, publish, subscribe, written } from './driver.js'

const ERROR = new BridgeError('serverShuttingDown', 'test')

const PACKETS: readonly InboundPacket[] = [
  CONNECT,
  publish({}),
  { cmd: 'puback', packetId: 1 },
  { cmd: 'pubrec', packetId: 1 },
  { cmd: 'pubrel', packetId: 1 },
  { cmd: 'pubcomp', packetId: 1 },
  subscribe(1, ['a', 0]),
  { cmd: 'unsubscribe', packetId: 1, filters: ['a'] },
  { cmd: 'pingreq' },
  { cmd: 'disconnect' }
]

const EVENTS: readonly SessionEvent[] = [
  { type: 'malformed', error: new BridgeError('malformedPacket', 'test') },
  { type: 'opened', sessionPresent: false },
  { type: 'refused', error: ERROR },
  { type: 'outcome', token: 1, result: ACCEPTED },
  { type: 'answered', token: 1, codes: [0] },
  { type: 'unanswered', token: 1, error: ERROR },
  { type: 'delivery', delivery: delivery({}) },
  { type: 'congested' },
  { type: 'uncongested' },
  { type: 'paused' },
  { type: 'resumed' },
  { type: 'reconfigured' },
  { type: 'timeout' },
  { type: 'end', error: ERROR },
  { type: 'disconnected' }
]

function inPhase(phase: Phase): Driver {
  const driver = new Driver()
  if (phase === 'new') return driver
  if (phase === 'closed') driver.give({ type: 'disconnected' })
  else driver.packet(CONNECT)
  if (phase === 'connected') {
    driver.give({ type: 'opened', sessionPresent: false })
    driver.packet(subscribe(9, ['a', 0])) // token 1
  }
  assert.equal(driver.session.phase, phase)
  return driver
}

describe('Session phases', () => {
  it('closes on any packet before CONNECT, without an answer [MQTT3-3.1.0-1] [MQTT3-4.8.0-1]', () => {
    for (const packet of PACKETS) {
      if (packet.cmd === 'connect') continue
      const driver = new Driver()
      assertCloses(driver.packet(packet), 'protocolError')
      assert.equal(driver.session.phase, 'closed')
    }
  })

  it('closes on a second CONNECT [MQTT3-3.1.0-2]', () => {
    assertCloses(Driver.connected().packet(CONNECT), 'protocolError')
  })

  it('closes on packets of QoS 2, which is not there yet', () => {
    for (const cmd of ['pubrec', 'pubrel', 'pubcomp'] as const) {
      assertCloses(Driver.connected().packet({ cmd, packetId: 1 }), 'protocolError')
    }
  })

  it('writes CONNACK before anything else, and nothing before the host answered [MQTT3-3.2.0-1]', () => {
    const driver = new Driver()
    const actions = driver.packet(CONNECT)
    assert.deepEqual(
      actions.map(action => action.type),
      ['open']
    )
    const answer = driver.give({ type: 'opened', sessionPresent: false })
    assert.deepEqual(written(answer), [{ cmd: 'connack', returnCode: 0, sessionPresent: false }])
  })

  it('takes a packet while the host is asked for a bug of the bridge', () => {
    for (const packet of PACKETS) assert.throws(() => inPhase('opening').packet(packet), /in phase opening/)
  })

  it('does with each packet and event in each phase what the table says', () => {
    for (const phase of Object.keys(PHASES) as Phase[]) {
      for (const event of EVENTS) {
        const driver = inPhase(phase)
        if (phase === 'closed' || (event.type !== 'packet' && accepts(phase, event.type))) {
          assert.doesNotThrow(() => driver.give(event), `${event.type} in ${phase}`)
        } else assert.throws(() => driver.give(event), /in phase/, `${event.type} in ${phase}`)
      }
      for (const packet of PACKETS) {
        if (phase === 'opening') continue
        const driver = inPhase(phase)
        const actions = driver.packet(packet)
        if (phase === 'closed') assert.deepEqual(actions, [])
        else if (!accepts(phase, packet.cmd)) assertCloses(actions, 'protocolError')
        else assert.notEqual(actions.at(-1)?.type === 'close', packet.cmd !== 'disconnect', packet.cmd)
      }
    }
  })

  it('says nothing after close', () => {
    for (const ending of ['disconnected', 'end', 'malformed'] as const) {
      const driver = inPhase('connected')
      const last = EVENTS.find(event => event.type === ending)
      assert.ok(last !== undefined)
      assert.equal(driver.give(last).at(-1)?.type, 'close')
      for (const event of EVENTS) assert.deepEqual(driver.give(event), [])
      for (const packet of PACKETS) assert.deepEqual(driver.packet(packet), [])
      assert.equal(driver.session.deadline, undefined)
    }
  })

  it('goes only where the table leads', () => {
    assert.equal(follow('new', 'opening'), 'opening')
    assert.throws(() => follow('new', 'connected'), /from new to connected/)
    assert.throws(() => follow('closed', 'new'), /from closed to new/)
  })

  it('ends without an error on DISCONNECT, with one when the socket just goes [MQTT3-3.14.4-3]', () => {
    assertCloses(Driver.connected().packet({ cmd: 'disconnect' }), undefined)
    assertCloses(Driver.connected().give({ type: 'disconnected' }), 'connectionLost')
  })

  it('closes on bytes that are no packet [MQTT3-4.8.0-1]', () => {
    const error = new BridgeError('malformedPacket', 'test')
    assertCloses(Driver.connected().give({ type: 'malformed', error }), 'malformedPacket')
    assertCloses(new Driver().give({ type: 'malformed', error }), 'malformedPacket')
  })

  it('ends when the gateway says so', () => {
    assertCloses(Driver.connected().give({ type: 'end', error: ERROR }), 'serverShuttingDown')
    const refused = inPhase('opening').give({ type: 'end', error: ERROR })
    assert.deepEqual(written(refused), [{ cmd: 'connack', returnCode: 3, sessionPresent: false }])
    assertCloses(refused.slice(1), 'serverShuttingDown')
    assertCloses(inPhase('new').give({ type: 'end', error: ERROR }), 'serverShuttingDown')
  })

  it('answers PINGREQ [MQTT3-3.12.4-1]', () => {
    assert.deepEqual(written(Driver.connected().packet({ cmd: 'pingreq' })), [{ cmd: 'pingresp' }])
  })
})
