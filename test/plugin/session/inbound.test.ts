import assert from 'node:assert/strict'
import type { Action, Token } from '../../../plugin/session/types.js'
import { ACCEPTED, assertCloses, Driver, OPTIONS, publish, sendOf, UID, written } from './driver.js'

function outcome(driver: Driver, token: Token): readonly Action[] {
  return driver.give({ type: 'outcome', token, result: ACCEPTED })
}

function pubacks(actions: readonly Action[]): number[] {
  return written(actions).map(packet => {
    assert.ok(packet.cmd === 'puback')
    return packet.packetId
  })
}

describe('Session inbound', () => {
  it('sends QoS 0 and answers nothing, whatever becomes of it [MQTT3-3.3.4-1]', () => {
    const driver = Driver.connected()
    const payload = Buffer.from('x')
    const { token, publication } = driver.publish({ topic: 'a/b', payload })
    assert.deepEqual(publication, {
      topic: 'a/b',
      payload,
      qos: 0,
      retain: false,
      dup: false,
      uid: UID,
      clientId: 'client'
    })
    assert.deepEqual(driver.give({ type: 'outcome', token, result: { type: 'failed' } }), [])
    assert.equal(driver.session.unanswered, 0)
  })

  it('acknowledges QoS 1 when the host accepted it, not before [MQTT3-4.3.2-2] [MQTT3-2.3.1-6]', () => {
    const driver = Driver.connected()
    const { token, publication } = driver.publish({ packetId: 77 })
    assert.equal(publication.packetId, 77)
    assert.equal(publication.qos, 1)
    assert.equal(publication.uid, UID)
    assert.equal(driver.session.unanswered, 1)
    assert.deepEqual(pubacks(outcome(driver, token)), [77])
    assert.equal(driver.session.unanswered, 0)
  })

  it('acknowledges in the order of the PUBLISHes, whatever the order of the outcomes [MQTT3-4.6.0-2]', () => {
    const driver = Driver.connected()
    const [first, second, third, fourth] = [5, 3, 9, 1].map(packetId => driver.publish({ packetId }).token)
    assert.deepEqual(pubacks(outcome(driver, third as Token)), [])
    assert.deepEqual(pubacks(outcome(driver, second as Token)), [])
    assert.deepEqual(pubacks(outcome(driver, first as Token)), [5, 3, 9])
    assert.deepEqual(pubacks(outcome(driver, fourth as Token)), [1])
  })

  it('takes the packet id of an acknowledged PUBLISH for a new one, DUP or not [MQTT3-4.3.2-2]', () => {
    const driver = Driver.connected()
    for (const dup of [false, true, false]) {
      const { token } = driver.publish({ packetId: 4, dup })
      assert.deepEqual(pubacks(outcome(driver, token)), [4])
    }
  })

  it('answers once a PUBLISH that was sent again before its answer [MQTT3-2.3.1-3]', () => {
    const driver = Driver.connected()
    const first = driver.publish({ packetId: 4 })
    const second = driver.publish({ packetId: 5 })
    assert.deepEqual(driver.packet(publish({ packetId: 5, dup: true })), [])
    assert.deepEqual(driver.packet(publish({ packetId: 4, dup: true })), [])
    assert.deepEqual(pubacks(outcome(driver, second.token)), [])
    // accepted, and waits for the one before it
    assert.deepEqual(driver.packet(publish({ packetId: 5, dup: true })), [])
    assert.deepEqual(pubacks(outcome(driver, first.token)), [4, 5])
    const third = driver.publish({ packetId: 5, dup: true })
    assert.deepEqual(pubacks(outcome(driver, third.token)), [5])
  })

  it('does not lose what comes under a packet id in use without DUP', () => {
    const driver = Driver.connected()
    const tokens = ['one', 'two'].map(
      text => driver.publish({ packetId: 1, payload: Buffer.from(text) }).token
    )
    assert.deepEqual(
      tokens.flatMap(token => pubacks(outcome(driver, token))),
      [1, 1]
    )
  })

  it('sends again what the host did not take, a bounded number of times', () => {
    const driver = Driver.connected()
    const { token, publication } = driver.publish({ packetId: 6 })
    const failed = { type: 'outcome', token, result: { type: 'failed' } } as const
    for (let i = 0; i < OPTIONS.publishRetries; i++) {
      const again = sendOf(driver.give(failed))
      assert.equal(again.token, token)
      assert.equal(again.publication, publication)
    }
    assertCloses(driver.give(failed), 'publishRejected')
  })

  it('acknowledges what the host took at the second time', () => {
    const driver = Driver.connected()
    const first = driver.publish({ packetId: 6 })
    const second = driver.publish({ packetId: 7 })
    driver.give({ type: 'outcome', token: first.token, result: { type: 'failed' } })
    assert.deepEqual(pubacks(outcome(driver, second.token)), [])
    assert.deepEqual(pubacks(outcome(driver, first.token)), [6, 7])
  })

  it('counts the first outcome of a send alone', () => {
    const driver = Driver.connected()
    driver.publish({ packetId: 6 })
    const { token } = driver.publish({ packetId: 7 })
    assert.deepEqual(outcome(driver, token), [])
    assert.deepEqual(driver.give({ type: 'outcome', token, result: { type: 'failed' } }), [])
  })

  it('closes when a publication is rejected, for 3.1.1 has no other word [MQTT3-3.3.5-2]', () => {
    for (const [reason, code] of [
      [0x87, 'notAuthorized'],
      [0x97, 'publishRejected']
    ] as const) {
      const driver = Driver.connected()
      const { token } = driver.publish({ packetId: 6 })
      const result = { type: 'rejected', reason, description: 'test' } as const
      assertCloses(driver.give({ type: 'outcome', token, result }), code)
    }
  })

  it('closes on wildcards in a topic name, and on none [MQTT3-3.3.2-2] [MQTT3-4.7.1-1] [MQTT3-4.7.3-1]', () => {
    for (const topic of ['#', 'a/+', 'a+', '']) {
      assertCloses(Driver.connected().packet(publish({ topic })), 'topicNameInvalid', 'warn')
    }
  })

  it('closes on topics that are addresses of the services or queues', () => {
    for (const topic of [
      '$mqtt.lwtservice',
      '$mqtt.to.x.publish',
      '$lwt',
      '$subctrl',
      '$retain.a',
      '$management',
      'a::b'
    ]) {
      const actions = Driver.connected().packet(publish({ topic, packetId: 1 }))
      assertCloses(actions, 'topicNameInvalid', 'warn')
      const [warning] = actions
      assert.ok(warning?.type === 'warn')
      assert.deepEqual(warning.fields, { topic, rule: 'a reserved topic' })
    }
    for (const topic of ['$SYS/a', 'a/$mqtt', 'a:b', ':']) Driver.connected().publish({ topic })
  })

  it('closes on topics with too many levels or bytes', () => {
    const levels = Array<string>(OPTIONS.topicLevels).fill('a').join('/')
    Driver.connected().publish({ topic: levels })
    assertCloses(Driver.connected().packet(publish({ topic: `${levels}/a` })), 'topicNameInvalid', 'warn')
    Driver.connected().publish({ topic: 'ü'.repeat(OPTIONS.topicBytes / 2) })
    const long = publish({ topic: 'ü'.repeat(OPTIONS.topicBytes / 2 + 1) })
    assertCloses(Driver.connected().packet(long), 'topicNameInvalid', 'warn')
  })

  it('logs no more of a bad topic than a line holds', () => {
    const [warning] = Driver.connected().packet(publish({ topic: '+'.repeat(65535) }))
    assert.ok(warning?.type === 'warn')
    assert.ok(JSON.stringify(warning.fields).length < 400)
  })

  it('closes on QoS 2, which is not there yet, with a warning', () => {
    const actions = Driver.connected().packet(publish({ qos: 2, packetId: 1 }))
    assertCloses(actions, 'notSupported', 'warn')
    const [warning] = actions
    assert.ok(warning?.type === 'warn')
    assert.deepEqual(warning.fields, { clientId: 'client', feature: 'QoS 2' })
  })

  it('sends a publication with RETAIN as any other, and says so to the host', () => {
    for (const fields of [{}, { packetId: 1 }]) {
      const { publication } = Driver.connected().publish({ ...fields, retain: true })
      assert.equal(publication.retain, true)
    }
  })

  it('does not acknowledge after DISCONNECT', () => {
    const driver = Driver.connected()
    const { token } = driver.publish({ packetId: 6 })
    driver.packet({ cmd: 'disconnect' })
    assert.deepEqual(outcome(driver, token), [])
  })
})
