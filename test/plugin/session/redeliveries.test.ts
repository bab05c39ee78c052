import assert from 'node:assert/strict'
import type { OutboundDelivery, SessionOptions } from '../../../plugin/session/types.js'
import { delivery, Driver, payloads, written } from './driver.js'

const NOTHING = (): void => undefined

/** A session that outlives its connection, with a client that was there before. */
const connected = (options: Partial<SessionOptions> = {}): Driver =>
  Driver.connected(options, { clean: false })

/** QoS 1 from the session's queue; payload and identity are `id`. */
const queued = (id: string, more: Partial<OutboundDelivery['publication']> = {}): OutboundDelivery =>
  delivery({ qos: 1, payload: Buffer.from(id), ...more }, { id, settle: NOTHING })

function deliver(driver: Driver, ...ids: string[]): (readonly [string, number | undefined, boolean])[] {
  return ids.flatMap(id => sent(driver.give({ type: 'delivery', delivery: queued(id) })))
}

const sent = (actions: Parameters<typeof written>[0]): (readonly [string, number | undefined, boolean])[] =>
  written(actions).flatMap(packet =>
    packet.cmd === 'publish'
      ? [[Buffer.from(packet.payload).toString(), packet.packetId, packet.dup] as const]
      : []
  )

const inFlight = (driver: Driver): (readonly [string | undefined, number])[] =>
  driver.session.unacknowledged.map(({ id, packetId }) => [id, packetId])

describe('Session redeliveries', () => {
  it('sends what a former connection was sending with its packet ids and DUP [MQTT3-4.4.0-1] [MQTT3-3.3.1-1]', () => {
    const driver = connected()
    driver.give({
      type: 'restored',
      inFlight: [
        { id: 'a', packetId: 9 },
        { id: 'b', packetId: 1 }
      ]
    })
    assert.deepEqual(deliver(driver, 'a', 'b'), [
      ['a', 9, true],
      ['b', 1, true]
    ])
    driver.packet({ cmd: 'puback', packetId: 9 })
    // 1 is still in use
    assert.deepEqual(deliver(driver, 'c'), [['c', 2, false]])
  })

  it('sends all of it at once, whatever the window is now and whether the socket is full [MQTT3-4.6.0-1]', () => {
    const driver = connected({ receiveMaximum: 1 })
    const entries = ['a', 'b', 'c'].map((id, index) => ({ id, packetId: index + 5 }))
    driver.give({ type: 'restored', inFlight: entries })
    driver.give({ type: 'congested' })
    assert.deepEqual(
      deliver(driver, 'a', 'b', 'c').map(([, packetId]) => packetId),
      [5, 6, 7]
    )
    assert.deepEqual(deliver(driver, 'new'), [])
  })

  it('sends QoS 1 again as QoS 1, though its filter is granted QoS 0 now', () => {
    const driver = connected()
    driver.give({ type: 'restored', inFlight: [{ id: 'a', packetId: 3 }] })
    const again = driver.give({ type: 'delivery', delivery: { ...queued('a'), grantedQos: 0 } })
    assert.deepEqual(sent(again), [['a', 3, true]])
  })

  it('has what it sent and what has not come yet in the order in which it was sent', () => {
    const driver = connected()
    const entries = ['a', 'b', 'c'].map((id, index) => ({ id, packetId: index + 5 }))
    driver.give({ type: 'restored', inFlight: entries })
    assert.deepEqual(inFlight(driver), [
      ['a', 5],
      ['b', 6],
      ['c', 7]
    ])
    deliver(driver, 'a', 'b')
    driver.packet({ cmd: 'puback', packetId: 5 })
    driver.give({ type: 'disconnected' })
    assert.deepEqual(inFlight(driver), [
      ['b', 6],
      ['c', 7]
    ])
  })

  it('expects no more of a former connection when something new comes', () => {
    const driver = connected()
    driver.give({ type: 'restored', inFlight: [{ id: 'gone', packetId: 5 }] })
    deliver(driver, 'new')
    assert.deepEqual(inFlight(driver), [['new', 1]])
    assert.deepEqual(deliver(driver, 'gone'), [['gone', 2, false]])
  })

  it('goes on to expect it when older publications come again, and gives their packet ids to nobody', () => {
    const driver = connected()
    driver.give({ type: 'restored', inFlight: [{ id: 'a', packetId: 1 }] })
    const older = driver.give({ type: 'delivery', delivery: queued('older', { dup: true }) })
    assert.deepEqual(sent(older), [['older', 2, true]])
    assert.deepEqual(deliver(driver, 'a'), [['a', 1, true]])
  })

  it('gives up what it expects before it has no packet id left', () => {
    const driver = connected({ receiveMaximum: 65535 })
    const inFlight = Array.from({ length: 65535 }, (_, index) => ({ id: `i${index}`, packetId: index + 1 }))
    driver.give({ type: 'restored', inFlight })
    const older = driver.give({ type: 'delivery', delivery: queued('older', { dup: true }) })
    assert.deepEqual(sent(older), [['older', 1, true]])
  })

  it('sends nothing twice that comes again after its link was lost, and acknowledges it over the new one', () => {
    const driver = connected()
    deliver(driver, 'a', 'b')
    driver.give({ type: 'returned' })
    driver.packet({ cmd: 'puback', packetId: 1 })
    // acknowledged meanwhile: over at once
    const [again] = driver.give({ type: 'delivery', delivery: queued('a', { dup: true }) })
    assert.ok(again?.type === 'settle' && again.outcome === 'accepted')
    const second = queued('b', { dup: true })
    assert.deepEqual(driver.give({ type: 'delivery', delivery: second }), [])
    const [settle] = driver.packet({ cmd: 'puback', packetId: 2 })
    assert.ok(settle?.type === 'settle')
    assert.equal(settle.delivery, second)
    assert.deepEqual(inFlight(driver), [])
  })

  it('forgets what waits when its link is lost, for it comes again', () => {
    const driver = connected({ receiveMaximum: 1 })
    assert.deepEqual(deliver(driver, 'a', 'b', 'c'), [['a', 1, false]])
    const inboxed = delivery({ qos: 1, payload: Buffer.from('inbox') })
    driver.give({ type: 'delivery', delivery: inboxed })
    driver.give({ type: 'returned' })
    assert.deepEqual(payloads(driver.packet({ cmd: 'puback', packetId: 1 })), ['inbox'])
    const [settle] = driver.give({ type: 'delivery', delivery: queued('a', { dup: true }) })
    assert.equal(settle?.type, 'settle')
    driver.packet({ cmd: 'puback', packetId: 2 })
    assert.deepEqual(deliver(driver, 'b'), [['b', 3, false]])
  })

  it('keeps what it knows through a second loss before all has come', () => {
    const driver = connected({ receiveMaximum: 9 })
    deliver(driver, 'a', 'b', 'c')
    driver.give({ type: 'returned' })
    driver.packet({ cmd: 'puback', packetId: 1 })
    assert.deepEqual(deliver(driver, 'a'), [])
    driver.packet({ cmd: 'puback', packetId: 2 })
    driver.give({ type: 'returned' })
    const again = ['b', 'c', 'd'].map(id => driver.give({ type: 'delivery', delivery: queued(id) }))
    assert.deepEqual(
      again.map(actions => actions.map(({ type }) => type)),
      [['settle'], [], ['write']]
    )
    assert.deepEqual(inFlight(driver), [
      ['c', 3],
      ['d', 4]
    ])
  })

  it('knows nothing of what comes without an identity', () => {
    const driver = connected()
    driver.give({ type: 'restored', inFlight: [{ id: 'a', packetId: 5 }] })
    const nameless = delivery({ qos: 1, payload: Buffer.from('x') }, { settle: NOTHING })
    assert.deepEqual(sent(driver.give({ type: 'delivery', delivery: nameless })), [['x', 1, false]])
  })
})
