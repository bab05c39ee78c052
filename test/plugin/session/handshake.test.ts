import assert from 'node:assert/strict'
import { BridgeError, FAILURES } from '../../../plugin/errors.js'
import type { FailureCode } from '../../../plugin/errors.js'
import type { ConnectPacket } from '../../../plugin/mqtt/packets.js'
import type { OpenRequest } from '../../../plugin/session/types.js'
import { assertCloses, CONNECT, Driver, OPTIONS, written } from './driver.js'

function openFor(changes: Partial<ConnectPacket>): OpenRequest {
  const [action] = new Driver().packet({ ...CONNECT, ...changes })
  assert.ok(action?.type === 'open')
  return action.request
}

function assertRefused(changes: Partial<ConnectPacket>, code: FailureCode, returnCode: number): void {
  const driver = new Driver()
  const actions = driver.packet({ ...CONNECT, ...changes })
  assertCloses(
    actions.filter(action => action.type !== 'warn'),
    code,
    'write'
  )
  assert.deepEqual(written(actions), [{ cmd: 'connack', returnCode, sessionPresent: false }])
  assert.equal(driver.session.phase, 'closed')
}

describe('Session handshake', () => {
  it('asks the host with what the client said [MQTT3-3.1.3-2]', () => {
    assert.deepEqual(openFor({ keepAliveS: 7 }), {
      clientId: 'client',
      cleanSession: true,
      credentials: { mechanism: 'ANONYMOUS' },
      protocolVersion: 4,
      keepAliveS: 7
    })
  })

  it('passes user name and password on', () => {
    const password = Buffer.from([0, 1, 255])
    assert.deepEqual(openFor({ username: 'ann', password }).credentials, {
      mechanism: 'PLAIN',
      username: 'ann',
      password
    })
    assert.deepEqual(openFor({ username: 'ann' }).credentials, {
      mechanism: 'PLAIN',
      username: 'ann',
      password: new Uint8Array(0)
    })
  })

  it('answers a protocol level that is not served with return code 1 and closes [MQTT3-3.1.2-2]', () => {
    assertRefused({ protocolVersion: 5 }, 'protocolVersion', 1)
    // one that cannot even be read comes from the packet stream
    const driver = new Driver()
    const error = new BridgeError('protocolVersion', 'protocol level 6 of MQTT')
    const actions = driver.give({ type: 'malformed', error })
    assertCloses(actions, 'protocolVersion', 'write')
    assert.deepEqual(written(actions), [{ cmd: 'connack', returnCode: 1, sessionPresent: false }])
  })

  it('takes client ids of 1 to 23 letters and digits, and any other [MQTT3-3.1.3-5]', () => {
    for (const clientId of ['a', '0123456789abcdefghijABC', 'ü/😀 $mqtt', 'x'.repeat(65535)]) {
      assert.equal(openFor({ clientId }).clientId, clientId)
    }
  })

  it('makes up a client id for an empty one with clean session [MQTT3-3.1.3-6]', () => {
    assert.equal(openFor({ clientId: '' }).clientId, OPTIONS.makeClientId())
  })

  it('refuses an empty client id without clean session with return code 2 [MQTT3-3.1.3-8] [MQTT3-3.1.3-9]', () => {
    assertRefused({ clientId: '', clean: false }, 'clientIdRejected', 2)
  })

  it('wants client ids of 1 to 23 characters from MQTT 3.1 [MQTT3-3.1.3-9]', () => {
    for (const clientId of ['a', 'x'.repeat(23), '😀'.repeat(23)]) {
      assert.equal(openFor({ clientId, protocolVersion: 3 }).protocolVersion, 3)
    }
    for (const clientId of ['', 'x'.repeat(24)]) {
      assertRefused({ clientId, protocolVersion: 3 }, 'clientIdRejected', 2)
    }
  })

  it('refuses a will, which is not there yet, with return code 3 and a warning', () => {
    const will = { topic: 'w', payload: Buffer.alloc(0), qos: 0, retain: false } as const
    assertRefused({ will }, 'notSupported', 3)
    const [warning] = new Driver().packet({ ...CONNECT, will })
    assert.ok(warning?.type === 'warn')
    assert.deepEqual(warning.fields, { clientId: 'client', feature: 'will' })
  })

  it('says whether the session was there for CleanSession 0 [MQTT3-3.2.2-2] [MQTT3-3.2.2-3]', () => {
    for (const sessionPresent of [true, false]) {
      const driver = new Driver()
      const [open] = driver.packet({ ...CONNECT, clean: false })
      assert.ok(open?.type === 'open' && !open.request.cleanSession)
      const actions = driver.give({ type: 'opened', sessionPresent })
      assert.deepEqual(written(actions), [{ cmd: 'connack', returnCode: 0, sessionPresent }])
    }
  })

  it('answers a refusal of the host with its return code and closes [MQTT3-3.2.2-4] [MQTT3-3.2.2-5]', () => {
    for (const code of [
      'badCredentials',
      'notAuthorized',
      'serverUnavailable',
      'clientIdRejected'
    ] as const) {
      const driver = new Driver()
      driver.packet(CONNECT)
      const actions = driver.give({ type: 'refused', error: new BridgeError(code, 'test') })
      assertCloses(actions, code, 'write')
      const returnCode = FAILURES[code].connack
      assert.deepEqual(written(actions), [{ cmd: 'connack', returnCode, sessionPresent: false }])
    }
  })

  it('closes without CONNACK where no return code fits [MQTT3-3.2.2-6]', () => {
    const driver = new Driver()
    driver.packet(CONNECT)
    const error = new BridgeError('sessionTakenOver', 'test')
    assertCloses(driver.give({ type: 'refused', error }), 'sessionTakenOver')
  })

  it('accepts with return code 0 [MQTT3-3.1.4-4], and session present 0 for a clean session [MQTT3-3.2.2-1]', () => {
    for (const sessionPresent of [true, false]) {
      const driver = new Driver()
      driver.packet(CONNECT)
      const actions = driver.give({ type: 'opened', sessionPresent })
      assert.deepEqual(written(actions), [{ cmd: 'connack', returnCode: 0, sessionPresent: false }])
      assert.equal(driver.session.phase, 'connected')
    }
  })
})
