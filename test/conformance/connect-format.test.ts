// The format of CONNECT, chapter 3.1: every field and flag that may not be as it is ends the connection before it began.

import { gatewayForSuite } from '../fixtures/gateway.js'
import {
  byte,
  CLEAN,
  connect,
  field,
  number,
  packet,
  PASSWORD,
  USERNAME,
  WILL
} from '../fixtures/mqtt-bytes.js'
import { assertAccepted, assertNoConnack, assertRefused } from './expectations.js'

/** CONNECT with these flags, and these fields in its payload. */
const raw = (flags: number, ...payload: readonly Uint8Array[]): Buffer =>
  packet(0x10, field('MQTT'), byte(4, flags), number(0), ...payload)

const ID = field('raw')
const TEXT = field('text')

describe('conformance: the format of CONNECT', () => {
  const gateway = gatewayForSuite()
  const assertWrong = (bytes: Uint8Array): Promise<void> =>
    assertNoConnack(gateway(), bytes, Buffer.from(bytes).toString('hex'))

  it('closes on another protocol [MQTT3-3.1.2-1]', async () => {
    for (const protocol of ['', 'mqtt', 'MQTT ', 'MQT', 'AMQP', 'MQIsdP', '__proto__', 'constructor'])
      await assertWrong(connect({ protocol }))
  })

  it('closes on bytes of other protocols', async () => {
    for (const text of [
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      'AMQP\0\u0001\0\0',
      '\u0016\u0003\u0001\u0002\0'
    ])
      await assertWrong(Buffer.from(text, 'latin1'))
  })

  it('closes on the reserved connect flag [MQTT3-3.1.2-3]', () => assertWrong(raw(CLEAN | 0x01, ID)))

  it('closes where will topic or will message is missing [MQTT3-3.1.2-9]', async () => {
    await assertWrong(raw(CLEAN | WILL, ID))
    await assertWrong(raw(CLEAN | WILL, ID, TEXT))
    await assertWrong(raw(CLEAN | WILL, ID, TEXT, byte(0, 9, 1)))
  })

  it('closes on will QoS or will retain without a will [MQTT3-3.1.2-11] [MQTT3-3.1.2-13] [MQTT3-3.1.2-15]', async () => {
    for (const flags of [0x08, 0x10, 0x18, 0x20]) await assertWrong(raw(CLEAN | flags, ID))
  })

  it('closes on a will topic and will message without the will flag [MQTT3-3.1.2-11]', async () => {
    await assertWrong(raw(CLEAN, ID, TEXT, TEXT))
  })

  it('closes on will QoS 3 [MQTT3-3.1.2-14]', async () => {
    await assertWrong(connect({ will: { topic: 'w', qos: 3 } }))
  })

  it('closes on a user name without its flag, and on the flag without a user name [MQTT3-3.1.2-18] [MQTT3-3.1.2-19]', async () => {
    await assertWrong(raw(CLEAN, ID, TEXT))
    await assertWrong(raw(CLEAN | USERNAME, ID))
    await assertWrong(raw(CLEAN | USERNAME, ID, byte(0)))
  })

  it('closes on a password without its flag, and on the flag without a password [MQTT3-3.1.2-20] [MQTT3-3.1.2-21]', async () => {
    await assertWrong(raw(CLEAN | USERNAME, ID, TEXT, TEXT))
    await assertWrong(raw(CLEAN | USERNAME | PASSWORD, ID, TEXT))
    await assertWrong(raw(CLEAN | USERNAME | PASSWORD, ID, TEXT, byte(0, 5, 1)))
  })

  it('closes on a password without a user name [MQTT3-3.1.2-22]', async () => {
    await assertWrong(connect({ password: 'secret' }))
  })

  it('closes where the client id is missing [MQTT3-3.1.3-3]', async () => {
    await assertWrong(raw(CLEAN))
    await assertWrong(raw(CLEAN, byte(0)))
    await assertWrong(raw(CLEAN, byte(0, 4, 0x61)))
  })

  it('closes on a client id, will topic or user name that is no UTF-8 [MQTT3-3.1.3-4] [MQTT3-3.1.3-10] [MQTT3-3.1.3-11]', async () => {
    const bad = byte(0x61, 0xff)
    await assertWrong(connect({ clientId: bad }))
    await assertWrong(connect({ will: { topic: bad } }))
    await assertWrong(connect({ username: bad, password: 'x' }))
  })

  it('closes on a CONNECT that is cut off at any byte, or goes on after its end [MQTT3-3.1.4-1]', async () => {
    const whole = connect({ clientId: 'cut', username: 'user', password: 'pass' }).subarray(2)
    for (let size = 0; size < whole.length; size++) {
      await assertWrong(packet(0x10, whole.subarray(0, size)))
    }
    await assertWrong(packet(0x10, whole, byte(0)))
  })

  it('closes on flags in the fixed header of CONNECT [MQTT3-2.2.2-1] [MQTT3-2.2.2-2] [MQTT3-3.1.4-1]', async () => {
    for (let flags = 1; flags <= 15; flags++) {
      const bytes = connect()
      bytes[0] = 0x10 | flags
      await assertWrong(bytes)
    }
  })

  it('takes a remaining length that is longer than it need be', async () => {
    const body = connect({ clientId: 'padded' }).subarray(2)
    await assertAccepted(gateway(), Buffer.concat([byte(0x10, body.length | 0x80, 0x80, 0), body]))
  })

  it('closes on a remaining length of more than four bytes [MQTT3-3.1.4-1]', async () => {
    await assertWrong(byte(0x10, 0x80, 0x80, 0x80, 0x80, 0x01))
  })

  it('refuses what it cannot serve only after it has read all of it [MQTT3-3.1.4-1]', async () => {
    const will = { topic: 'w', payload: 'x' }
    await assertRefused(gateway(), connect({ will }), 3)
    const whole = connect({ will })
    await assertWrong(packet(0x10, whole.subarray(2), byte(0)))
  })
})
