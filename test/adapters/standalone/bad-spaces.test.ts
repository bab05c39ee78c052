// Spaces that cannot start beside others that can, and `--check`, which says so beforehand.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import { MqttSocket } from '../../fixtures/mqtt-socket.js'
import { connect } from '../../fixtures/mqtt-bytes.js'
import { Program, TemporaryDirectory } from '../../fixtures/program.js'

interface FailedSpace {
  readonly level: string
  readonly space: string
  readonly reasons: readonly string[]
}

describe('the program with spaces that are wrong', () => {
  const directory = new TemporaryDirectory()
  const programs: Program[] = []
  let taken: Server

  before(async () => {
    taken = createServer()
    await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve))
  })
  afterEach(async () => {
    await Promise.all(programs.splice(0).map(program => program.kill()))
  })
  after(() => {
    taken.close()
    directory.remove()
  })

  const start = (name: string, spaces: readonly object[], ...args: string[]): Program =>
    startOn(name, { spaces }, ...args)
  const startOn = (name: string, content: object, ...args: string[]): Program => {
    const file = join(directory.path, name)
    writeFileSync(file, JSON.stringify(content))
    const program = new Program(['--config', file, '--data', join(directory.path, 'data'), ...args])
    programs.push(program)
    return program
  }
  const linesOf = (text: string): string[] => text.split('\n').filter(line => line !== '')
  const takenPort = (): number => (taken.address() as AddressInfo).port
  const free = { amqp: { port: 0 }, mqtt: { listener: { port: 0 } } }

  it('starts the others, and says of each that does not why', async () => {
    const program = start('some.json', [
      { ...free, name: 'unknown-option', typo: 1 },
      { ...free, name: 'good' },
      { ...free, name: 'bad-limit', mqtt: { limits: { topicLevels: 0 }, other: 1 } },
      { ...free, name: 'mqtt-port', mqtt: { listener: { port: takenPort() } } },
      { ...free, name: 'amqp-port', amqp: { port: takenPort() } },
      { ...free, name: 'good-too' }
    ])
    const ready = await program.ready()
    assert.deepEqual(
      ready.map(({ name }) => name),
      ['good', 'good-too']
    )
    const failed = program.lines
      .map(line => JSON.parse(line) as FailedSpace & { readonly msg: string })
      .filter(({ msg }) => msg === 'a space did not start')
    assert.deepEqual(
      failed.map(({ level, space }) => [level, space]),
      ['unknown-option', 'bad-limit', 'mqtt-port', 'amqp-port'].map(space => ['error', space])
    )
    const file = join(directory.path, 'some.json')
    const [unknown, limit, mqttPort, amqpPort] = failed.map(({ reasons }) => [...reasons].sort())
    assert.deepEqual(unknown, [`${file}: /spaces/0/typo: is not an option`])
    assert.deepEqual(limit, [
      `${file}: /spaces/2/mqtt/limits/topicLevels: must be >= 1, not 0`,
      `${file}: /spaces/2/mqtt/other: is not an option`
    ])
    assert.match(mqttPort?.join() ?? '', /the MQTT listener cannot listen on .*: the port is in use/)
    assert.match(amqpPort?.join() ?? '', /the AMQP listener cannot listen on .*: the port is in use/)
    for (const { mqtt } of ready) {
      const client = await MqttSocket.open(Number(mqtt[0]?.split(':').at(-1)))
      client.send(connect({ clientId: 'c' }))
      assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent: false, returnCode: 0 })
      client.destroy()
    }
    assert.deepEqual(await program.stop(), { code: 0, signal: null })
    assert.equal(program.stderr, '')
  })

  it('does not run with none, and says why of each', async () => {
    const program = start('none.json', [
      { ...free, name: 'one', mqtt: { typo: 1 } },
      { ...free, name: 'two', typo: 1 }
    ])
    assert.equal((await program.exited).code, 2)
    assert.deepEqual(program.lines, [])
    assert.deepEqual(
      linesOf(program.stderr)
        .map(line => line.split(': ')[2])
        .sort(),
      ['/spaces/0/mqtt/typo', '/spaces/1/typo']
    )
  })

  describe('--check', () => {
    it('says that a configuration is valid, and starts nothing', async () => {
      const mqtt = { listener: { port: takenPort() } }
      const program = start(
        'valid.json',
        [
          { name: 'a', mqtt },
          { name: 'b', amqp: { port: 0 } }
        ],
        '--check'
      )
      assert.deepEqual(await program.exited, { code: 0, signal: null })
      assert.deepEqual(program.lines, ['the configuration is valid'])
      assert.equal(program.stderr, '')
    })

    it('has a line for each fault, of the program and of the plugin in each space', async () => {
      const program = start(
        'invalid.json',
        [
          { name: 'a', mqtt: { limits: { topicLevels: 0 }, typo: 1 } },
          { name: 'b', amqp: { port: 1 }, mqtt: { listener: { port: 1883 } } },
          { name: 'c', amqp: { port: 2 }, mqtt: {} },
          { name: 'd', amqp: { port: 3 }, mqtt: { listener: { port: 1 } } },
          { name: 'e', amqp: { port: 1 } },
          { name: 'f', users: 'all', mqtt: { typo: 1 } }
        ],
        '--check'
      )
      assert.equal((await program.exited).code, 2)
      assert.deepEqual(program.lines, [])
      const file = join(directory.path, 'invalid.json')
      assert.deepEqual(linesOf(program.stderr).sort(), [
        `mqtt-over-amqp: ${file}: /spaces/0/mqtt/limits/topicLevels: must be >= 1, not 0`,
        `mqtt-over-amqp: ${file}: /spaces/0/mqtt/typo: is not an option`,
        `mqtt-over-amqp: ${file}: /spaces/2/mqtt/listener: must be another listener than /spaces/1/mqtt/listener, not "127.0.0.1:1883" again`,
        `mqtt-over-amqp: ${file}: /spaces/3/mqtt/listener: must be another listener than /spaces/1/amqp, not "127.0.0.1:1" again`,
        `mqtt-over-amqp: ${file}: /spaces/4/amqp: must be another listener than /spaces/1/amqp, not "127.0.0.1:1" again`,
        `mqtt-over-amqp: ${file}: /spaces/5/mqtt/typo: is not an option`,
        `mqtt-over-amqp: ${file}: /spaces/5/users: must be array, not "all"`
      ])
    })

    const SERVICE = { name: 'plugin', password: 'plugin secret' }
    const BROKER = ['--host', 'amqp://127.0.0.1:1', '--check']

    it('says that one is valid for a process that uses the broker of another, which is not asked', async () => {
      // nothing listens for AMQP here, so that its port is free for MQTT
      const space = { name: 'a', service: SERVICE, amqp: { port: 1883 }, mqtt: { listener: { port: 1883 } } }
      const program = start('remote.json', [space], ...BROKER, '--roles', 'gateway')
      assert.deepEqual(await program.exited, { code: 0, signal: null })
      assert.deepEqual(program.lines, ['the configuration is valid'])
    })

    it('has a line for each fault of a process that uses the broker of another', async () => {
      const spaces = [
        { name: 'a', mqtt: { typo: 1 } },
        { name: 'b', service: { ...SERVICE, password: 'short' } },
        { name: 'c', service: SERVICE }
      ]
      const program = start('not-remote.json', spaces, ...BROKER)
      assert.equal((await program.exited).code, 2)
      const file = join(directory.path, 'not-remote.json')
      assert.deepEqual(linesOf(program.stderr).sort(), [
        `mqtt-over-amqp: ${file}: /spaces/0/mqtt/typo: is not an option`,
        `mqtt-over-amqp: ${file}: /spaces/0: must have the property 'service' to use the broker of --host`,
        `mqtt-over-amqp: ${file}: /spaces/1/service/password: must NOT have fewer than 8 characters`,
        `mqtt-over-amqp: ${file}: /spaces/2: must not be there: with --host there is one space`
      ])
    })

    it('names the URL of a broker that is none', async () => {
      const program = start('remote.json', [], '--host', 'http://broker', '--check')
      assert.equal((await program.exited).code, 2)
      assert.deepEqual(linesOf(program.stderr), [
        'mqtt-over-amqp: --host: expected amqp://HOST:PORT, got "http://broker"'
      ])
    })

    it('looks at the plugin in each space even where the rest of the file is wrong', async () => {
      const content = { spaces: [{ name: 'a', mqtt: { typo: 1 } }], log: { level: 'loud' } }
      const program = startOn('whole.json', content, '--check')
      assert.equal((await program.exited).code, 2)
      const file = join(directory.path, 'whole.json')
      assert.deepEqual(
        linesOf(program.stderr).map(line => line.split(': ').slice(1, 3)),
        [
          [file, '/log/level'],
          [file, '/spaces/0/mqtt/typo']
        ]
      )
    })
  })
})
