// A process with the broker and the data, and another with the gateway and the services, that uses it over AMQP.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { Program, TemporaryDirectory } from '../fixtures/program.js'
import { mosquittoPub, MosquittoSub } from './clients/mosquitto.js'
import { MqttJsClient } from './clients/mqtt-js.js'
import { need } from './tools.js'

const SERVICE = { name: 'plugin', password: 'plugin secret' }
const USER = { name: 'sensor', password: 's3cret', send: ['home/#'], receive: ['home/#'], clientIds: ['*'] }
const AS_USER = ['-u', USER.name, '-P', USER.password]

describe('interop: two processes', () => {
  const directory = new TemporaryDirectory()
  const programs: Program[] = []
  const start = async (name: string, space: object, ...args: readonly string[]) => {
    const file = join(directory.path, `${name}.json`)
    writeFileSync(file, JSON.stringify({ spaces: [{ name: 'default', service: SERVICE, ...space }] }))
    const program = new Program(['--config', file, ...args])
    programs.push(program)
    const [ready] = await program.ready()
    assert.ok(ready)
    return ready
  }
  let mqttPort = 0

  before(need('mosquitto'))
  before(async () => {
    const data = join(directory.path, 'data')
    const owner = await start(
      'owner',
      { anonymous: false, users: [USER] },
      ...['--amqp-port', '0', '--data', data]
    )
    assert.deepEqual(owner.mqtt, [])
    const mqtt = { listener: { host: '127.0.0.1', port: 0 } }
    const gateway = await start('gateway', { mqtt }, '--host', `amqp://${owner.amqp}`)
    assert.equal(gateway.amqp, owner.amqp)
    mqttPort = Number(gateway.mqtt[0]?.split(':').at(-1))
  })
  after(async () => {
    for (const program of programs) await program.kill()
    directory.remove()
  })

  for (const qos of ['0', '1']) {
    it(`carries publications at QoS ${qos} over the broker of the other process, as its users`, async () => {
      const sub = await MosquittoSub.start(mqttPort, [...AS_USER, '-q', '1', '-t', 'home/#'])
      for (const payload of ['1', '2', '3']) {
        const args = [...AS_USER, '-q', qos, '-t', 'home/a', '-m', payload]
        assert.deepEqual(await mosquittoPub(mqttPort, args), { code: 0, stderr: '' })
      }
      const lines = ['1', '2', '3'].map(payload => `home/a ${qos} 0 ${payload}`)
      assert.deepEqual(await sub.lines.take(3), lines)
      await sub.stop()
    })
  }

  it('brings retained messages over the broker of the other process, more than are on their way at once', async () => {
    const topics = Array.from({ length: 100 }, (_, index) => `home/kept/${index}`)
    const publisher = await MqttJsClient.connect(mqttPort, { username: USER.name, password: USER.password })
    for (const topic of topics) await publisher.publish(topic, topic, 1, { retain: true })
    await publisher.end()
    for (const qos of ['0', '1']) {
      const sub = await MosquittoSub.start(mqttPort, [...AS_USER, '-q', qos, '-t', 'home/kept/#'])
      const lines = topics.map(topic => `${topic} ${qos} 1 ${topic}`)
      assert.deepEqual((await sub.lines.take(100)).sort(), [...lines].sort())
      await sub.stop()
    }
  })

  it('lets nobody in whom the broker does not know', async () => {
    const { code } = await mosquittoPub(mqttPort, ['-u', 'sensor', '-P', 'wrong', '-t', 'home/a', '-m', '1'])
    assert.notEqual(code, 0)
    const service = ['-u', SERVICE.name, '-P', SERVICE.password]
    assert.notEqual((await mosquittoPub(mqttPort, [...service, '-t', 'home/a', '-m', '1'])).code, 0)
  })

  it('says in one line that the broker does not know the service', async () => {
    const file = join(directory.path, 'stranger.json')
    const [owner] = (await programs[0]?.ready()) ?? []
    const space = { name: 'default', service: { name: 'plugin', password: 'not the one' }, mqtt: {} }
    writeFileSync(file, JSON.stringify({ spaces: [space] }))
    const stranger = new Program(['--config', file, '--host', `amqp://${owner?.amqp}`])
    programs.push(stranger)
    assert.equal((await stranger.exited).code, 1)
    assert.match(stranger.stderr, /^mqtt-over-amqp: --host: the broker at \S+ cannot be used: .*unauthorized/)
  })
})
