// Options that change under a session: each phase takes the event, and what the new values allow happens at once.

import assert from 'node:assert/strict'
import { Session } from '../../../plugin/session/session.js'
import { assertCloses, CONNECT, delivery, OPTIONS, publish, written } from './driver.js'

describe('Session with options that change', () => {
  function connected(): {
    readonly options: { -readonly [K in keyof typeof OPTIONS]: (typeof OPTIONS)[K] }
    readonly session: Session
  } {
    const options = { ...OPTIONS }
    const session = new Session(options, 0)
    session.handle({ type: 'packet', packet: CONNECT }, 0)
    session.handle({ type: 'opened', sessionPresent: false }, 0)
    return { options, session }
  }

  it('does nothing more than take them in any phase', () => {
    const session = new Session(OPTIONS, 0)
    const steps = [
      { type: 'packet', packet: CONNECT },
      { type: 'opened', sessionPresent: false },
      { type: 'disconnected' }
    ] as const
    for (const step of steps) {
      assert.deepEqual(session.handle({ type: 'reconfigured' }, 0), [])
      session.handle(step, 0)
    }
    assert.deepEqual(session.handle({ type: 'reconfigured' }, 0), [])
  })

  it('has its deadline where the new time-out ends, before CONNECT and after it', () => {
    const options = { ...OPTIONS }
    const session = new Session(options, 1000)
    options.connectTimeoutMs = 50
    assert.equal(session.deadline, 1050)
    session.handle({ type: 'packet', packet: CONNECT }, 1010)
    options.connectTimeoutMs = 70
    assert.equal(session.deadline, 1080)
  })

  it('writes what waited when more may be on its way, in order, and no more than that', () => {
    const { options, session } = connected()
    for (let index = 0; index < 6; index++) {
      session.handle(
        { type: 'delivery', delivery: delivery({ qos: 1, payload: Buffer.of(index) }, { grantedQos: 1 }) },
        0
      )
    }
    options.receiveMaximum = 4
    const packets = written(session.handle({ type: 'reconfigured' }, 0))
    assert.deepEqual(
      packets.map(packet => (packet.cmd === 'publish' ? packet.payload[0] : packet.cmd)),
      [2, 3]
    )
    options.receiveMaximum = 1
    assert.deepEqual(session.handle({ type: 'reconfigured' }, 0), [])
  })

  it('looks again at a topic that was good', () => {
    const { options, session } = connected()
    session.handle({ type: 'packet', packet: publish({ topic: 'a/b' }) }, 0)
    options.topicLevels = 1
    session.handle({ type: 'reconfigured' }, 0)
    assertCloses(
      session.handle({ type: 'packet', packet: publish({ topic: 'a/b' }) }, 0),
      'topicNameInvalid',
      'warn'
    )
  })
})
