import assert from 'node:assert/strict'
import { BridgeError } from '../../../plugin/errors.js'
import type { Action, Token } from '../../../plugin/session/types.js'
import { assertCloses, Driver, OPTIONS, subscribe, written } from './driver.js'

const ERROR = new BridgeError('serverUnavailable', 'test')

type Request = Action & { type: 'subscribe' | 'unsubscribe' }

/** What the service is asked. */
function requestOf(actions: readonly Action[]): Request {
  const action = actions.at(-1)
  assert.ok(action?.type === 'subscribe' || action?.type === 'unsubscribe')
  return action
}

function answer(driver: Driver, token: Token, ...codes: number[]): unknown[] {
  return written(driver.give({ type: 'answered', token, codes }))
}

function unsubscribe(packetId: number, ...filters: string[]) {
  return { cmd: 'unsubscribe', packetId, filters } as const
}

describe('Session subscriptions', () => {
  it('answers SUBSCRIBE under its packet id when the service did [MQTT3-3.8.4-1] [MQTT3-3.8.4-2]', () => {
    const driver = Driver.connected()
    const request = requestOf(driver.packet(subscribe(10, ['a', 0], ['b/#', 1])))
    assert.deepEqual(request.filters, [
      { filter: 'a', qos: 0 },
      { filter: 'b/#', qos: 1 }
    ])
    assert.equal(request.packetId, 10)
    assert.equal(driver.session.unanswered, 1)
    const expected = [{ cmd: 'suback', packetId: 10, codes: [0, 1] }]
    assert.deepEqual(answer(driver, request.token, 0, 1), expected)
    assert.equal(driver.session.unanswered, 0)
  })

  it('grants QoS 1 for 2, and no more than was asked for [MQTT3-3.8.4-5] [MQTT3-3.8.4-6]', () => {
    const driver = Driver.connected()
    const request = requestOf(driver.packet(subscribe(1, ['a', 2], ['b', 0])))
    assert.deepEqual(request.filters, [
      { filter: 'a', qos: 1 },
      { filter: 'b', qos: 0 }
    ])
    assert.deepEqual(answer(driver, request.token, 1, 1), [{ cmd: 'suback', packetId: 1, codes: [1, 0] }])
  })

  it('tells each failure as 0x80, in the order of the request [MQTT3-3.9.3-1] [MQTT3-3.9.3-2]', () => {
    const driver = Driver.connected()
    const { token } = requestOf(driver.packet(subscribe(1, ['a', 1], ['b', 1], ['c', 0], ['d', 1])))
    assert.deepEqual(answer(driver, token, 0x87, 0, 0x97, 1), [
      { cmd: 'suback', packetId: 1, codes: [0x80, 0, 0x80, 1] }
    ])
  })

  it('asks once for a filter that comes twice, the last wins, a code for each [MQTT3-3.8.4-4] [MQTT3-3.8.4-5]', () => {
    const driver = Driver.connected()
    const request = requestOf(driver.packet(subscribe(1, ['a', 0], ['b', 1], ['a', 1], ['b', 0], ['a', 0])))
    assert.deepEqual(request.filters, [
      { filter: 'a', qos: 0 },
      { filter: 'b', qos: 0 }
    ])
    assert.deepEqual(answer(driver, request.token, 0, 0x80), [
      { cmd: 'suback', packetId: 1, codes: [0, 0x80, 0, 0x80, 0] }
    ])
  })

  it('passes a repeated SUBSCRIBE on, which replaces the first [MQTT3-3.8.4-3]', () => {
    const driver = Driver.connected()
    for (const qos of [0, 1] as const) {
      const { token, filters } = requestOf(driver.packet(subscribe(1, ['a', qos])))
      assert.deepEqual(filters, [{ filter: 'a', qos }])
      answer(driver, token, qos)
    }
  })

  it('answers 0x80 for reserved filters and filters over a limit, and asks for the others', () => {
    const driver = Driver.connected()
    const deep = Array<string>(OPTIONS.topicLevels + 1)
      .fill('+')
      .join('/')
    const long = 'x'.repeat(OPTIONS.topicBytes + 1)
    const refused = ['$mqtt/#', '$mqtt.to.x.publish', '$lwt', '$subctrl', '$retain.a', 'a::b', deep, long]
    const actions = driver.packet(
      subscribe(1, ['good', 1], ...refused.map(filter => [filter, 0] as [string, 0]), ['fine', 0])
    )
    assert.deepEqual(
      actions.map(action => action.type),
      [...refused.map(() => 'warn'), 'subscribe']
    )
    const { token, filters } = requestOf(actions)
    assert.deepEqual(
      filters.map(entry => (typeof entry === 'string' ? entry : entry.filter)),
      ['good', 'fine']
    )
    assert.deepEqual(answer(driver, token, 1, 0), [
      { cmd: 'suback', packetId: 1, codes: [1, ...refused.map(() => 0x80), 0] }
    ])
  })

  it('answers at once when nothing is left to ask for', () => {
    const driver = Driver.connected()
    const actions = driver.packet(subscribe(3, ['$lwt', 1]))
    assert.deepEqual(written(actions), [{ cmd: 'suback', packetId: 3, codes: [0x80] }])
    assert.equal(driver.session.unanswered, 0)
  })

  it('closes on what is no topic filter [MQTT3-4.7.1-2] [MQTT3-4.7.1-3] [MQTT3-4.7.3-1]', () => {
    for (const filter of ['a/#/b', 'a#', 'a+', '']) {
      const actions = Driver.connected().packet(subscribe(1, ['good', 0], [filter, 0]))
      assertCloses(actions, 'topicFilterInvalid', 'warn')
      assertCloses(Driver.connected().packet(unsubscribe(1, filter)), 'topicFilterInvalid', 'warn')
    }
  })

  it('answers 0x80 for all when the service cannot be asked', () => {
    const driver = Driver.connected()
    const { token } = requestOf(driver.packet(subscribe(1, ['a', 1], ['b', 0])))
    const actions = driver.give({ type: 'unanswered', token, error: ERROR })
    assert.deepEqual(written(actions), [{ cmd: 'suback', packetId: 1, codes: [0x80, 0x80] }])
    assert.equal(actions[0]?.type, 'warn')
  })

  it('answers UNSUBSCRIBE under its packet id when the service did [MQTT3-3.10.4-4] [MQTT3-3.10.4-6]', () => {
    const driver = Driver.connected()
    const request = requestOf(driver.packet(unsubscribe(11, 'a', 'b/#', 'a')))
    assert.deepEqual(request.filters, ['a', 'b/#'])
    assert.deepEqual(answer(driver, request.token, 0, 0x11), [{ cmd: 'unsuback', packetId: 11 }])
  })

  it('answers UNSUBSCRIBE where nothing can be deleted [MQTT3-3.10.4-5]', () => {
    const actions = Driver.connected().packet(unsubscribe(11, '$lwt', 'a::b'))
    assert.deepEqual(actions, [{ type: 'write', packet: { cmd: 'unsuback', packetId: 11 } }])
  })

  it('closes when an UNSUBSCRIBE is refused or not answered', () => {
    for (const event of ['answered', 'unanswered'] as const) {
      const driver = Driver.connected()
      const { token } = requestOf(driver.packet(unsubscribe(1, 'a', 'b')))
      const actions =
        event === 'answered'
          ? driver.give({ type: event, token, codes: [0, 0x80] })
          : driver.give({ type: event, token, error: ERROR })
      assertCloses(actions, 'unsubscribeRejected')
    }
  })

  it('answers requests in whatever order the service does', () => {
    const driver = Driver.connected()
    const first = requestOf(driver.packet(subscribe(1, ['a', 1])))
    const second = requestOf(driver.packet(subscribe(2, ['b', 1])))
    assert.deepEqual(answer(driver, second.token, 1), [{ cmd: 'suback', packetId: 2, codes: [1] }])
    assert.deepEqual(answer(driver, first.token, 1), [{ cmd: 'suback', packetId: 1, codes: [1] }])
  })

  it('takes an answer to nothing, or with codes of other filters, for a bug', () => {
    const driver = Driver.connected()
    const { token } = requestOf(driver.packet(subscribe(1, ['a', 1])))
    assert.throws(() => answer(driver, token + 1, 1), /no request/)
    assert.throws(() => answer(driver, token, 1, 1), /2 codes for 1 filters/)
  })
})
