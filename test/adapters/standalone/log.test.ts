// What the program writes to its log, at debug: lines of a space name it, and no line has a password or a payload.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { byte, connect, publish, subscribe } from '../../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../../fixtures/mqtt-socket.js'
import { Program, TemporaryDirectory } from '../../fixtures/program.js'
import { RheaClient } from '../../interop/clients/rhea.js'

const SECRET = 'sEcReT-of-ann'
const WRONG = 'wRoNg-of-ann'
const PAYLOAD = 'pAyLoAd-of-ann'

describe('the log of the program', () => {
  const directory = new TemporaryDirectory()
  let program: Program
  let mqtt = 0
  let amqp = 0

  before(async () => {
    const file = join(directory.path, 'config.json')
    const users = [{ name: 'ann', password: SECRET, send: ['mine'], receive: ['mine'] }]
    const ports = { amqp: { port: 0 }, mqtt: { listener: { port: 0 } } }
    const spaces = [{ name: 'tenant', anonymous: false, users, ...ports }]
    writeFileSync(file, JSON.stringify({ host: { dataDirectory: join(directory.path, 'data') }, spaces }))
    program = new Program(['--config', file, '--log-level', 'debug'])
    const [space] = await program.ready()
    mqtt = Number(space?.mqtt[0]?.split(':')[1])
    amqp = Number(space?.amqp.split(':')[1])
  })
  after(async () => {
    await program.kill()
    directory.remove()
  })

  const open = async (...bytes: readonly Uint8Array[]): Promise<MqttSocket> => {
    const client = await MqttSocket.open(mqtt)
    client.send(...bytes)
    return client
  }

  it('names the space, the client and the reason, and has no password and no payload', async () => {
    const right = { clientId: 'ann', username: 'ann', password: SECRET }
    await (await open(connect({ ...right, password: WRONG }))).untilClosed()
    const filters = await open(connect(right), subscribe(1, ['mine', 1], ['theirs', 1]))
    filters.send(publish('mine', PAYLOAD, { qos: 1, packetId: 1 }), publish('theirs', PAYLOAD))
    filters.send(publish('$mqtt.x', PAYLOAD, { qos: 1, packetId: 2 }))
    await filters.untilClosed()
    const malformed = publish('mine', PAYLOAD, { qos: 1, packetId: 3 })
    await (
      await open(connect(right), malformed, byte(0x36, PAYLOAD.length), Buffer.from(PAYLOAD))
    ).untilClosed()
    await assert.rejects(RheaClient.connect(amqp, { username: 'ann', password: WRONG }))
    assert.deepEqual(await program.stop(), { code: 0, signal: null })

    for (const secret of [SECRET, WRONG, PAYLOAD]) {
      for (const form of [
        secret,
        Buffer.from(secret).toString('base64'),
        Buffer.from(secret).toString('hex')
      ])
        assert.ok(!program.lines.some(line => line.includes(form)), `${secret} is in the log`)
    }
    const warned = program.lines
      .map(line => JSON.parse(line) as Record<string, unknown>)
      .filter(({ level }) => level === 'warn')
    const messages = new Set(warned.map(({ msg }) => msg))
    for (const message of [
      'a CONNECT was refused',
      'a subscription was refused: the user may not receive it',
      'a client broke a rule',
      'a client was disconnected',
      'the login of an AMQP client was refused'
    ])
      assert.ok(messages.has(message), `${message} is not in ${program.lines.join('\n')}`)
    for (const line of warned) {
      assert.equal(line['space'], 'tenant', JSON.stringify(line))
      assert.ok('clientId' in line || 'peer' in line, JSON.stringify(line))
    }
    assert.deepEqual(
      program.log.filter(({ level }) => level === 'error'),
      []
    )
  })
})
