// Users of the configuration, over MQTT and AMQP: who gets in, and what the others are told.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { RunningProgram } from '../fixtures/program.js'
import { mosquittoPub, MosquittoSub } from './clients/mosquitto.js'
import { MqttJsClient } from './clients/mqtt-js.js'
import { ProtonClient } from './clients/proton.js'
import { RheaClient } from './clients/rhea.js'
import { need } from './tools.js'

const USERS = [
  { name: 'alice', password: 'w\u00f6nder land', clientIds: ['alice-*'] },
  { name: 'bob', password: 'pass:word', send: ['b/#'], receive: ['b/#', 'common'] }
]

describe('interop: users and passwords', () => {
  const server = new RunningProgram()

  before(async () => {
    const file = join(server.directory.path, 'users.json')
    const space = { name: 'default', anonymous: false, users: USERS, mqtt: {} }
    writeFileSync(file, JSON.stringify({ spaces: [space] }))
    await server.start('--config', file)
  })
  after(() => server.end())

  const mqttRefusal = async (options: { username?: string; password?: string; clientId?: string }) => {
    try {
      await MqttJsClient.connect(server.mqttPort, options)
    } catch (error) {
      return (error as { code?: unknown }).code
    }
    return assert.fail('it got in')
  }

  describe('MQTT.js', () => {
    it('gets in with the right password', async () => {
      const options = { username: 'bob', password: 'pass:word' }
      const client = await MqttJsClient.connect(server.mqttPort, options)
      assert.deepEqual(await client.subscribe('b/x', 1), [1])
      await client.publish('b/x', 'mine', 1)
      assert.equal((await client.received.next()).payload.toString(), 'mine')
      await client.end()
    })

    it('is refused with return code 4 for a wrong password or an unknown name', async () => {
      assert.equal(await mqttRefusal({ username: 'bob', password: 'wrong' }), 4)
      assert.equal(await mqttRefusal({ username: 'nobody', password: 'wrong' }), 4)
    })

    it('is refused with return code 5 without a name where anonymous clients are', async () => {
      assert.equal(await mqttRefusal({}), 5)
    })

    it('is refused with return code 2 for a client id that is not the user\u2019s', async () => {
      assert.equal(
        await mqttRefusal({ username: 'alice', password: 'w\u00f6nder land', clientId: 'bob-1' }),
        2
      )
    })

    it('is granted what the user may receive, and no more', async () => {
      const client = await MqttJsClient.connect(server.mqttPort, {
        username: 'bob',
        password: 'pass:word'
      })
      await assert.rejects(client.subscribe('other', 1), /Unspecified error|128/)
      assert.deepEqual(await client.subscribe('common', 1), [1])
      await client.end()
    })
  })

  describe('mosquitto clients', () => {
    before(need('mosquitto'))

    it('exchange a message with the right password', async () => {
      const login = ['-u', 'bob', '-P', 'pass:word']
      const sub = await MosquittoSub.start(server.mqttPort, [...login, '-q', '1', '-t', 'b/#'])
      assert.equal((await mosquittoPub(server.mqttPort, [...login, '-t', 'b/1', '-m', 'x'])).code, 0)
      assert.equal(await sub.lines.next(), 'b/1 0 0 x')
      await sub.stop()
    })

    it('say why they were refused', async () => {
      const wrong = ['-u', 'bob', '-P', 'wrong', '-t', 'b/1', '-m', 'x']
      const { code, stderr } = await mosquittoPub(server.mqttPort, wrong)
      assert.equal(code, 4)
      assert.match(stderr, /bad user name or password/)
      const anonymous = await mosquittoPub(server.mqttPort, ['-t', 'b/1', '-m', 'x'])
      assert.equal(anonymous.code, 5)
      assert.match(anonymous.stderr, /not authorised/)
    })
  })

  describe('rhea', () => {
    it('gets in with the right password, and is refused what the user may not do', async () => {
      const client = await RheaClient.connect(server.amqpPort, {
        username: 'bob',
        password: 'pass:word'
      })
      const receiver = await client.openReceiver('b/+')
      const sender = await client.openSender('b/1')
      assert.equal((await sender.send({ body: 'hello' })).state, 'accepted')
      assert.equal((await receiver.received.next()).body, 'hello')
      await assert.rejects(client.openReceiver('other'), /amqp:unauthorized-access/)
      await assert.rejects(client.openSender('other'), /amqp:unauthorized-access/)
      await client.close()
    })

    it('is refused with a wrong password, an unknown name, and none', async () => {
      await assert.rejects(RheaClient.connect(server.amqpPort, { username: 'bob', password: 'wrong' }))
      await assert.rejects(RheaClient.connect(server.amqpPort, { username: 'nobody', password: 'x' }))
      await assert.rejects(RheaClient.connect(server.amqpPort))
    })
  })

  describe('Proton', () => {
    let proton: ProtonClient

    before(need('proton'))
    before(() => {
      proton = new ProtonClient()
    })
    after(async () => {
      await proton?.end()
    })

    it('gets in with the right password', async () => {
      await proton.connect(server.amqpPort, { user: 'alice', password: 'w\u00f6nder land' })
      assert.deepEqual(await proton.send('a', 'data'), { state: 'accepted' })
      await proton.disconnect()
    })

    it('is refused with a wrong password, and without a name', async () => {
      const wrong = proton.connect(server.amqpPort, {
        user: 'alice',
        password: 'wrong',
        allowed_mechs: 'PLAIN'
      })
      await assert.rejects(wrong, /amqp:unauthorized-access|Authentication failed/)
      await assert.rejects(proton.connect(server.amqpPort), /mechanism|amqp:unauthorized-access/i)
    })
  })
})
