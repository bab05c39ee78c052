// mosquitto's command line clients with the program: what a first user tries.

import assert from 'node:assert/strict'

import { RunningProgram } from '../fixtures/program.js'
import { mosquittoPub, MosquittoSub } from './clients/mosquitto.js'
import { need } from './tools.js'

describe('interop: mosquitto clients', () => {
  const server = new RunningProgram()
  before(need('mosquitto'))
  before(() => server.start())
  after(() => server.end())

  for (const version of ['mqttv31', 'mqttv311']) {
    for (const qos of ['0', '1']) {
      it(`publishes and receives at QoS ${qos} with ${version}`, async () => {
        const sub = await MosquittoSub.start(server.mqttPort, [
          '-V',
          version,
          '-q',
          '1',
          '-t',
          'm/+/x',
          '-t',
          'n/#'
        ])
        const publish = async (topic: string, payload: string) => {
          const args = ['-V', version, '-q', qos, '-t', topic, '-m', payload]
          assert.deepEqual(await mosquittoPub(server.mqttPort, args), { code: 0, stderr: '' })
        }
        await publish('m/1/x', 'one')
        await publish('m/1/y', 'not for us')
        await publish('n', 'two')
        await publish('n/a/b', 'thr\u00e9\u20ac')
        assert.deepEqual(await sub.lines.take(3), [
          `m/1/x ${qos} 0 one`,
          `n ${qos} 0 two`,
          `n/a/b ${qos} 0 thr\u00e9\u20ac`
        ])
        await sub.stop()
        assert.deepEqual(sub.lines.left, [])
      })
    }
  }

  it('carries a thousand lines of stdin at QoS 1, in order', async () => {
    const sub = await MosquittoSub.start(server.mqttPort, ['-q', '1', '-t', 'lines'])
    const payloads = Array.from({ length: 1000 }, (_, i) => `line ${i}`)
    const input = payloads.map(payload => `${payload}\n`).join('')
    assert.equal((await mosquittoPub(server.mqttPort, ['-q', '1', '-t', 'lines', '-l'], input)).code, 0)
    assert.deepEqual(
      await sub.lines.take(1000),
      payloads.map(payload => `lines 1 0 ${payload}`)
    )
    await sub.stop()
  })

  it('keeps for a subscriber with -c what is published while it is away [MQTT3-3.1.2-5]', async () => {
    const args = ['-c', '-i', 'keeper', '-q', '1', '-t', 'kept/#']
    const before = await MosquittoSub.start(server.mqttPort, args)
    await before.stop()
    for (const payload of ['one', 'two', 'three'])
      await mosquittoPub(server.mqttPort, ['-q', '1', '-t', 'kept/x', '-m', payload])
    const after = await MosquittoSub.start(server.mqttPort, args)
    assert.deepEqual(await after.lines.take(3), ['kept/x 1 0 one', 'kept/x 1 0 two', 'kept/x 1 0 three'])
    await mosquittoPub(server.mqttPort, ['-q', '1', '-t', 'kept/y', '-m', 'live'])
    assert.deepEqual(await after.lines.take(1), ['kept/y 1 0 live'])
    await after.stop()
  })

  it('carries an empty payload and one of a megabyte', async () => {
    const sub = await MosquittoSub.start(server.mqttPort, ['-q', '1', '-t', 'size'])
    assert.equal((await mosquittoPub(server.mqttPort, ['-q', '1', '-t', 'size', '-n'])).code, 0)
    const megabyte = 'x'.repeat(1_000_000)
    assert.equal((await mosquittoPub(server.mqttPort, ['-q', '1', '-t', 'size', '-s'], megabyte)).code, 0)
    assert.deepEqual(await sub.lines.take(2), ['size 1 0 ', `size 1 0 ${megabyte}`])
    await sub.stop()
  })

  it('ends mosquitto_sub -C after its count', async () => {
    const sub = await MosquittoSub.start(server.mqttPort, ['-q', '1', '-t', 'count', '-C', '2'])
    for (const payload of ['1', '2']) {
      await mosquittoPub(server.mqttPort, ['-q', '1', '-t', 'count', '-m', payload])
    }
    assert.equal((await sub.exited).code, 0)
  })
})
