// CONNECT and CONNACK of MQTT 3.1.1, chapters 3.1 and 3.2: who is let in, who is refused with which code, and what a session is.

import assert from 'node:assert/strict'
import { gatewayForSuite } from '../fixtures/gateway.js'
import { byte, connect, DISCONNECT, PINGREQ, publish, subscribe } from '../fixtures/mqtt-bytes.js'
import {
  assertAccepted,
  assertNoConnack,
  assertPayloads,
  assertRefused,
  freshId,
  subscriber
} from './expectations.js'

const USERS = [
  { name: 'alice', password: 'secret', clientIds: ['a*'] },
  { name: 'empty', password: '' }
]

describe('conformance: CONNECT', () => {
  const gateway = gatewayForSuite()

  it('accepts a client, and starts a session that knows nothing [MQTT3-3.1.4-4] [MQTT3-3.2.2-1]', async () => {
    await assertAccepted(gateway(), connect({ clientId: 'first' }))
  })

  it('closes where the first packet is not CONNECT [MQTT3-3.1.0-1]', async () => {
    for (const first of [PINGREQ, DISCONNECT, publish('a', 'x'), subscribe(1, ['a', 0])])
      await assertNoConnack(gateway(), first)
  })

  it('closes on a second CONNECT [MQTT3-3.1.0-2]', async () => {
    const client = await gateway().connect('twice')
    client.send(connect({ clientId: 'twice' }))
    assert.deepEqual(await client.untilClosed(), [])
  })

  it('closes on a second CONNECT that came with the first, and does nothing after it [MQTT3-3.1.0-2]', async () => {
    const witness = await subscriber(gateway(), ['second/connect', 1])
    const hello = connect({ clientId: 'twice' })
    const client = await gateway().openWith(hello, hello, publish('second/connect', 'ghost'))
    assert.deepEqual(await client.untilClosed(), [{ cmd: 'connack', sessionPresent: false, returnCode: 0 }])
    witness.send(publish('second/connect', 'sentinel'))
    await assertPayloads(witness, 'sentinel')
  })

  it('sends CONNACK before anything else, whatever came with the CONNECT [MQTT3-3.2.0-1]', async () => {
    const client = await gateway().openWith(connect(), PINGREQ, subscribe(7, ['a', 0]), PINGREQ)
    const answers = (await client.take(4)).map(({ cmd }) => cmd)
    assert.equal(answers[0], 'connack')
    assert.deepEqual(answers.slice(1).sort(), ['pingresp', 'pingresp', 'suback'])
  })

  it('ends the client that is connected when another one comes with its client id [MQTT3-3.1.4-2]', async () => {
    const first = await gateway().connect('same')
    const second = await gateway().connect('same')
    assert.deepEqual(await first.untilClosed(), [])
    assert.deepEqual(await second.untilPong(), [])
  })

  it('tells clients apart by their client id alone [MQTT3-3.1.3-2]', async () => {
    const [upper, lower] = [await gateway().connect('Id'), await gateway().connect('id')]
    await upper.subscribe(['ids', 0])
    lower.send(publish('ids', 'x'))
    await assertPayloads(upper, 'x')
    assert.deepEqual(await lower.untilPong(), [])
  })

  it('discards a former session with CleanSession 1 [MQTT3-3.1.2-6] [MQTT3-3.1.4-3] [MQTT3-3.2.2-1]', async () => {
    for (const leave of [true, false]) {
      const former = await gateway().connect('clean')
      await former.subscribe(['clean/former', 1])
      if (leave) await former.disconnect()
      const client = await gateway().connect('clean') // Session Present is 0
      await client.subscribe(['clean/now', 0])
      client.send(publish('clean/former', 'ghost'), publish('clean/now', 'here'))
      await assertPayloads(client, 'here')
      assert.deepEqual(await client.untilPong(), [])
    }
  })

  it('allows client ids of 1 to 23 bytes of digits and letters [MQTT3-3.1.3-5]', async () => {
    const characters = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
    const ids = [characters.slice(0, 23), characters.slice(23, 46), characters.slice(39), '0', 'z']
    for (const clientId of ids) await assertAccepted(gateway(), connect({ clientId }))
  })

  it('allows longer client ids and any other character as well', async () => {
    for (const clientId of ['x'.repeat(1000), 'a/+/#', ' ', 'käse ✓ 𝄞', 'a%2F.b'])
      await assertAccepted(gateway(), connect({ clientId }))
  })

  it('makes a client id for each client that has none [MQTT3-3.1.3-6]', async () => {
    const clients = [
      await assertAccepted(gateway(), connect({ clientId: '' })),
      await assertAccepted(gateway(), connect({ clientId: '' }))
    ]
    for (const client of clients) assert.deepEqual(await client.untilPong(), [])
  })

  it('rejects a client without an id that wants its session kept [MQTT3-3.1.3-8] [MQTT3-3.2.2-4] [MQTT3-3.2.2-5]', async () => {
    await assertRefused(gateway(), connect({ clientId: '', clean: false }), 2)
  })

  it('does nothing of what came after a CONNECT that it refuses [MQTT3-3.1.4-5]', async () => {
    const witness = await subscriber(gateway(), ['refused', 1])
    const bad = connect({ clientId: '', clean: false })
    const client = await gateway().openWith(bad, publish('refused', 'ghost'), PINGREQ)
    assert.equal(await client.nextBytes(), '20020002')
    assert.deepEqual(await client.untilClosed(), [])
    witness.send(publish('refused', 'sentinel'))
    await assertPayloads(witness, 'sentinel')
  })

  it('publishes nothing when a client without a will is lost [MQTT3-3.1.2-12]', async () => {
    const witness = await subscriber(gateway(), ['#', 1])
    const client = await gateway().connect('no-will')
    client.reset()
    // its successor is let in when nothing of it is left
    const successor = await gateway().connect('no-will')
    successor.send(publish('after/loss', 'sentinel'))
    await assertPayloads(witness, 'sentinel')
  })
})

describe('conformance: return codes of CONNACK', () => {
  const gateway = gatewayForSuite({ users: USERS, anonymous: false })

  it('refuses an unknown protocol level with 1 [MQTT3-3.1.2-2]', async () => {
    for (const level of [0, 1, 2, 3, 6, 0x84, 255]) await assertRefused(gateway(), connect({ level }), 1)
    await assertRefused(gateway(), connect({ protocol: 'MQIsdp', level: 4 }), 1)
  })

  it('refuses a client id that the user may not have with 2 [MQTT3-3.1.3-9] [MQTT3-3.2.2-4]', async () => {
    await assertRefused(gateway(), connect({ clientId: 'b', username: 'alice', password: 'secret' }), 2)
  })

  it('refuses a wrong password and an unknown user with 4 [MQTT3-3.2.2-4] [MQTT3-3.2.2-5]', async () => {
    await assertRefused(gateway(), connect({ clientId: 'a', username: 'alice', password: 'Secret' }), 4)
    await assertRefused(gateway(), connect({ clientId: 'a', username: 'alice' }), 4)
    await assertRefused(gateway(), connect({ clientId: 'a', username: 'bob', password: 'secret' }), 4)
  })

  it('refuses a client without a user name with 5 where one is needed [MQTT3-3.2.2-4] [MQTT3-3.2.2-5]', async () => {
    await assertRefused(gateway(), connect(), 5)
  })

  it('takes client id, user name and password in this order [MQTT3-3.1.3-1]', async () => {
    await assertAccepted(gateway(), connect({ clientId: 'a', username: 'alice', password: 'secret' }))
    await assertRefused(gateway(), connect({ clientId: 'alice', username: 'a', password: 'secret' }), 4)
  })

  it('takes an empty password, and passwords are bytes', async () => {
    await assertAccepted(gateway(), connect({ username: 'empty', password: '' }))
    await assertRefused(gateway(), connect({ username: 'empty', password: byte(0, 0xff, 0xc0) }), 4)
  })

  it('closes without CONNACK where no return code says what is wrong [MQTT3-3.2.2-6]', async () => {
    await assertNoConnack(gateway(), connect({ protocol: 'HTTP' }))
  })

  it('gives a client that has no id one that its user may have, or refuses it with 2 [MQTT3-3.1.3-6]', async () => {
    await assertAccepted(gateway(), connect({ clientId: '', username: 'empty', password: '' }))
    await assertRefused(gateway(), connect({ clientId: '', username: 'alice', password: 'secret' }), 2)
    await assertAccepted(gateway(), connect({ clientId: freshId(), username: 'empty', password: '' }))
  })
})
