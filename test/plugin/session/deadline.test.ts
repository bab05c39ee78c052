import assert from 'node:assert/strict'
import { assertCloses, CONNECT, Driver, OPTIONS, written } from './driver.js'

describe('Session deadline', () => {
  it('closes when no CONNECT comes in time', () => {
    const driver = new Driver()
    assert.equal(driver.session.deadline, driver.now + OPTIONS.connectTimeoutMs)
    driver.now += OPTIONS.connectTimeoutMs - 1
    assert.deepEqual(driver.give({ type: 'timeout' }), [])
    driver.now += 1
    assertCloses(driver.give({ type: 'timeout' }), 'connectTimeout')
  })

  it('refuses with return code 3 when the host does not answer in time', () => {
    const driver = new Driver()
    driver.now += 5000
    driver.packet(CONNECT)
    assert.equal(driver.session.deadline, driver.now + OPTIONS.connectTimeoutMs)
    driver.now += OPTIONS.connectTimeoutMs
    const actions = driver.give({ type: 'timeout' })
    assertCloses(actions, 'serverUnavailable', 'write')
    assert.deepEqual(written(actions), [{ cmd: 'connack', returnCode: 3, sessionPresent: false }])
    assert.deepEqual(driver.give({ type: 'opened', sessionPresent: false }), [])
  })

  it('closes after one and a half times the keep alive without a packet [MQTT3-3.1.2-24]', () => {
    const driver = Driver.connected({}, { keepAliveS: 10 })
    const connectedAt = driver.now
    assert.equal(driver.session.deadline, connectedAt + 15_000)
    driver.now += 14_999
    assert.deepEqual(driver.give({ type: 'timeout' }), [])
    driver.packet({ cmd: 'pingreq' })
    assert.equal(driver.session.deadline, driver.now + 15_000)
    driver.now += 15_000
    assertCloses(driver.give({ type: 'timeout' }), 'keepAliveTimeout')
  })

  it('counts silence from CONNACK on, for nothing is read before it', () => {
    const driver = new Driver()
    driver.packet(CONNECT)
    driver.now += 9000
    driver.give({ type: 'opened', sessionPresent: false })
    assert.equal(driver.session.deadline, driver.now + CONNECT.keepAliveS * 1500)
  })

  it('takes no event of ours for a packet of the client', () => {
    const driver = Driver.connected({}, { keepAliveS: 10 })
    const { deadline } = driver.session
    driver.now += 9000
    driver.deliver({})
    driver.give({ type: 'congested' })
    driver.give({ type: 'uncongested' })
    assert.equal(driver.session.deadline, deadline)
  })

  it('waits for ever with keep alive 0', () => {
    const driver = Driver.connected({}, { keepAliveS: 0 })
    assert.equal(driver.session.deadline, undefined)
    driver.now += 1e12
    assert.deepEqual(driver.give({ type: 'timeout' }), [])
  })

  it('does not count the time in which nobody read what the client sent', () => {
    const driver = Driver.connected({}, { keepAliveS: 10 })
    driver.give({ type: 'paused' })
    assert.equal(driver.session.deadline, undefined)
    driver.now += 100_000
    assert.deepEqual(driver.give({ type: 'timeout' }), [])
    driver.give({ type: 'resumed' })
    assert.equal(driver.session.deadline, driver.now + 15_000)
  })

  it('counts the time of CONNECT to CONNACK even if the bridge says that it does not read', () => {
    const driver = new Driver()
    driver.packet(CONNECT)
    const { deadline } = driver.session
    driver.give({ type: 'paused' })
    assert.equal(driver.session.deadline, deadline)
    driver.now += 500
    driver.give({ type: 'opened', sessionPresent: false })
    driver.give({ type: 'resumed' })
    assert.equal(driver.session.deadline, driver.now + CONNECT.keepAliveS * 1500)
  })
})
