import assert from 'node:assert/strict'
import type { Qos } from '../../../plugin/mqtt/packets.js'
import type { Action } from '../../../plugin/session/types.js'
import { assertCloses, Driver, payloads, written } from './driver.js'

const NOTHING = (): void => undefined

function types(actions: readonly Action[]): string[] {
  return actions.map(action => action.type)
}

/** Deliveries of QoS 1 whose payloads are their names. */
function deliverAll(driver: Driver, qos: Qos, names: string): readonly Action[] {
  return [...names].flatMap(name => driver.deliver({ qos, payload: Buffer.from(name) }))
}

function idsOf(actions: readonly Action[]): number[] {
  return written(actions).map(packet => {
    assert.ok(packet.cmd === 'publish' && packet.packetId !== undefined)
    return packet.packetId
  })
}

describe('Session outbound', () => {
  it('writes at the lower of published and granted QoS, QoS 2 as 1 for now [MQTT3-3.8.4-6]', () => {
    for (const qos of [0, 1, 2] as const) {
      for (const grantedQos of [0, 1, 2] as const) {
        const [packet] = written(Driver.connected().deliver({ qos }, { grantedQos }))
        assert.ok(packet?.cmd === 'publish')
        assert.equal(packet.qos, Math.min(qos, grantedQos, 1))
        assert.equal(packet.packetId === undefined, packet.qos === 0) // [MQTT3-2.3.1-5]
      }
    }
  })

  it('gives the publication that a PUBLISH was made from, to share its encoding', () => {
    const driver = Driver.connected()
    const [write] = driver.deliver({ qos: 1 })
    assert.ok(write?.type === 'write' && write.packet.cmd === 'publish')
    assert.equal(write.publication?.payload, write.packet.payload)
  })

  it('sets RETAIN on replayed copies alone, whatever the publisher said [MQTT3-3.3.1-8] [MQTT3-3.3.1-9]', () => {
    for (const retain of [true, false]) {
      for (const retained of [true, false]) {
        const [packet] = written(Driver.connected().deliver({ retain, retained }))
        assert.equal(packet?.cmd === 'publish' && packet.retain, retained)
      }
    }
  })

  it('sets DUP as given, and never with QoS 0 [MQTT3-3.3.1-2]', () => {
    for (const qos of [0, 1] as const) {
      for (const dup of [true, false]) {
        const [packet] = written(Driver.connected().deliver({ qos, dup }))
        assert.equal(packet?.cmd === 'publish' && packet.dup, dup && qos === 1)
      }
    }
  })

  it('gives each PUBLISH an id that no other has until its PUBACK [MQTT3-2.3.1-4] [MQTT3-4.3.2-1]', () => {
    const driver = Driver.connected({ receiveMaximum: 65535 })
    const used = new Set(idsOf(deliverAll(driver, 1, 'x'.repeat(65535))))
    assert.equal(used.size, 65535)
    assert.ok(!used.has(0) && !used.has(65536))
    assert.deepEqual(idsOf(driver.deliver({ qos: 1 })), [])
    assert.deepEqual(idsOf(driver.packet({ cmd: 'puback', packetId: 12345 })), [12345])
  })

  it('has no more on their way than the receive maximum, and goes on in order', () => {
    const driver = Driver.connected({ receiveMaximum: 2 })
    const first = deliverAll(driver, 1, 'abcd')
    assert.deepEqual(payloads(first), ['a', 'b'])
    const [idA, idB] = idsOf(first)
    assert.deepEqual(payloads(driver.packet({ cmd: 'puback', packetId: idB as number })), ['c'])
    assert.deepEqual(payloads(driver.packet({ cmd: 'puback', packetId: idA as number })), ['d'])
    assert.equal(driver.session.waitingBytes, 0)
  })

  it('keeps the order when QoS 0 comes behind what waits [MQTT3-4.6.0-6]', () => {
    const driver = Driver.connected({ receiveMaximum: 1 })
    const [id] = idsOf(deliverAll(driver, 1, 'ab').slice(0, 1))
    assert.deepEqual(payloads(deliverAll(driver, 0, 'cd')), [])
    assert.deepEqual(payloads(deliverAll(driver, 1, 'e')), [])
    assert.deepEqual(payloads(driver.packet({ cmd: 'puback', packetId: id as number })), ['b', 'c', 'd'])
  })

  it('ignores a PUBACK of an id that is not in use', () => {
    const driver = Driver.connected()
    assert.deepEqual(driver.packet({ cmd: 'puback', packetId: 1 }), [])
    const [id] = idsOf(driver.deliver({ qos: 1 }))
    assert.deepEqual(driver.packet({ cmd: 'puback', packetId: (id as number) + 1 }), [])
    driver.packet({ cmd: 'puback', packetId: id as number })
    assert.deepEqual(driver.packet({ cmd: 'puback', packetId: id as number }), [])
  })

  it('holds everything back while the socket is full, and lets it go in order', () => {
    const driver = Driver.connected({ receiveMaximum: 2 })
    driver.give({ type: 'congested' })
    assert.deepEqual(driver.deliver({ qos: 0, payload: Buffer.from('a') }), [])
    assert.deepEqual(deliverAll(driver, 1, 'bcd'), [])
    const actions = driver.give({ type: 'uncongested' })
    assert.deepEqual(payloads(actions), ['a', 'b', 'c'])
    driver.give({ type: 'congested' })
    const [, packetId] = written(actions).map(packet => packet.cmd === 'publish' && packet.packetId)
    assert.deepEqual(driver.packet({ cmd: 'puback', packetId: packetId as number }), [])
    assert.deepEqual(payloads(driver.give({ type: 'uncongested' })), ['d'])
  })

  it('drops and counts QoS 0 past the bound of what waits', () => {
    const driver = Driver.connected({ bufferedBytes: 1000 })
    driver.give({ type: 'congested' })
    const payload = Buffer.alloc(300)
    for (let i = 0; i < 2; i++) assert.deepEqual(driver.deliver({ payload }), [])
    assert.deepEqual(driver.deliver({ payload }), [{ type: 'dropped', qos: 0 }])
    assert.ok(driver.session.waitingBytes <= 1000)
    assert.equal(payloads(driver.give({ type: 'uncongested' })).length, 2)
    assert.equal(driver.session.waitingBytes, 0)
  })

  it('bounds small publications by what they take, not by their bytes alone', () => {
    const driver = Driver.connected({ bufferedBytes: 10_000 })
    driver.give({ type: 'congested' })
    let kept = 0
    while (kept < 1000 && driver.deliver({ topic: 'a', payload: Buffer.alloc(0) }).length === 0) kept++
    assert.ok(kept > 10 && kept < 100, `${kept}`)
  })

  it('closes a client that is too slow for QoS 1', () => {
    const driver = Driver.connected({ bufferedBytes: 1000, receiveMaximum: 1 })
    const payload = Buffer.alloc(400)
    for (let i = 0; i < 2; i++) driver.deliver({ qos: 1, payload })
    assertCloses(driver.deliver({ qos: 1, payload }), 'slowConsumer')
  })

  it('settles QoS 0 before it is written, QoS 1 after its PUBACK', () => {
    const driver = Driver.connected()
    assert.deepEqual(types(driver.deliver({ qos: 0 }, { settle: NOTHING })), ['settle', 'write'])
    const written1 = driver.deliver({ qos: 1 }, { settle: NOTHING })
    assert.deepEqual(types(written1), ['write'])
    const [settle] = driver.packet({ cmd: 'puback', packetId: idsOf(written1)[0] as number })
    assert.ok(settle?.type === 'settle')
    assert.equal(settle.outcome, 'accepted')
    assert.equal(settle.delivery.settle, NOTHING)
  })

  it('neither drops nor counts what its source keeps until it is settled', () => {
    const driver = Driver.connected({ bufferedBytes: 300 })
    driver.give({ type: 'congested' })
    for (let i = 0; i < 10; i++) {
      const qos = i % 2 === 0 ? 0 : 1
      assert.deepEqual(types(driver.deliver({ qos, payload: Buffer.alloc(300) }, { settle: NOTHING })), [])
    }
    assert.equal(driver.session.waitingBytes, 0)
    assert.deepEqual(types(driver.give({ type: 'uncongested' })).slice(0, 3), ['settle', 'write', 'write'])
  })

  it('settles nothing when the client vanishes', () => {
    const driver = Driver.connected()
    driver.deliver({ qos: 1 }, { settle: NOTHING })
    assertCloses(driver.give({ type: 'disconnected' }), 'connectionLost')
  })
})
