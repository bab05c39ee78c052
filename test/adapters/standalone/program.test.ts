// The program as its user meets it: the ready line, exit codes, and the line that says why it did not start.

import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'

import { ClassicLevel } from 'classic-level'

import { FORMAT_KEY, STORE_FORMAT } from '../../../adapters/embedded/keys.js'
import { RheaClient } from '../../interop/clients/rhea.js'
import { Program, RunningProgram, TemporaryDirectory, type Exit } from '../../fixtures/program.js'

const ANY_PORTS = ['--mqtt-port', '0', '--amqp-port', '0']

describe('the program', () => {
  const directory = new TemporaryDirectory()
  const data = join(directory.path, 'data')
  const started: Program[] = []
  afterEach(async () => {
    await Promise.all(started.splice(0).map(program => program.kill()))
  })
  after(() => directory.remove())

  const start = (...args: string[]): Program => {
    const program = new Program(args)
    started.push(program)
    return program
  }
  const finish = async (...args: string[]): Promise<Exit & { stdout: string; stderr: string }> => {
    const program = start(...args)
    const exit = await program.exited
    return { ...exit, stdout: program.lines.join('\n'), stderr: program.stderr }
  }
  const refuse = async (code: number, ...args: string[]): Promise<string> => {
    const result = await finish(...args)
    assert.equal(result.code, code, result.stderr)
    assert.equal(result.stdout, '')
    const lines = result.stderr.split('\n')
    assert.equal(lines.pop(), '')
    assert.equal(lines.length, 1, result.stderr)
    const [line = ''] = lines
    assert.ok(line.startsWith('mqtt-over-amqp: '), line)
    return line.slice('mqtt-over-amqp: '.length)
  }
  const takePort = async (): Promise<{ server: Server; port: number }> => {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return { server, port: (server.address() as AddressInfo).port }
  }
  const configFile = (name: string, content: unknown): string => {
    const file = join(directory.path, name)
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
    return file
  }

  describe('that runs', () => {
    const server = new RunningProgram()
    after(() => server.end())

    it('writes one line at info when it is ready, which names both ports, and ends with 0 on SIGINT', async () => {
      await server.start()
      const info = server.program.log.filter(({ level }) => level !== 'debug')
      assert.deepEqual(
        info.map(({ level, msg }) => [level, msg]),
        [['info', 'ready']]
      )
      assert.deepEqual(await server.program.ready(), [
        { name: 'default', mqtt: [`127.0.0.1:${server.mqttPort}`], amqp: `127.0.0.1:${server.amqpPort}` }
      ])
      assert.deepEqual(await server.program.stop('SIGINT'), { code: 0, signal: null })
      assert.equal(server.program.stderr, '')
      assert.equal(server.program.log.at(-1)?.msg, 'stopped')
    })

    it('starts again on the same ports and data, and ends with 0 on SIGTERM', async () => {
      await server.start()
      assert.deepEqual(await server.program.stop('SIGTERM'), { code: 0, signal: null })
    })

    it('ends with 0 when one Ctrl-C comes twice, from the terminal and from npm', async () => {
      await server.start()
      server.program.signal('SIGINT')
      server.program.signal('SIGINT')
      assert.deepEqual(await server.program.exited, { code: 0, signal: null })
    })

    it('ends with 0 when the signal comes before it is ready', async () => {
      const program = start(...ANY_PORTS, '--data', data, '--log-level', 'debug')
      await program.waitForLine('space reported')
      assert.deepEqual(await program.stop('SIGTERM'), { code: 0, signal: null })
    })
  })

  describe('with a client that answers nothing', () => {
    const server = new RunningProgram()
    let client: RheaClient

    beforeEach(async () => {
      await server.start()
      client = await RheaClient.connect(server.amqpPort)
      client.freeze()
    })
    afterEach(async () => {
      await server.program.kill()
      await client.thawToEnd()
    })
    after(() => server.end())

    it('ends with 0 all the same', async () => {
      assert.deepEqual(await server.program.stop('SIGINT'), { code: 0, signal: null })
    })

    it('ends at once with 1 when a signal comes that is no echo of the first', async () => {
      const repeat = setInterval(() => server.program.signal('SIGINT'), 50)
      const exit = await server.program.exited
      clearInterval(repeat)
      assert.deepEqual(exit, { code: 1, signal: null })
    })
  })

  it('logs a bug with its stack, commits what it can, and ends with 1', async () => {
    const bug = `process.on('SIGUSR2', () => { throw new Error('this is the bug') })`
    const nodeArgs = ['--import', `data:text/javascript,${encodeURIComponent(bug)}`]
    const held = join(directory.path, 'bug')
    const program = new Program([...ANY_PORTS, '--data', held], nodeArgs)
    started.push(program)
    await program.ready()
    program.signal('SIGUSR2')
    assert.deepEqual(await program.exited, { code: 1, signal: null })
    const line = JSON.parse(program.lines.at(-1) ?? '') as { level: string; err: { stack: string } }
    assert.equal(line.level, 'error')
    assert.match(line.err.stack, /this is the bug\n +at /)
    const next = start(...ANY_PORTS, '--data', held)
    await next.ready()
  })

  it('runs on when nobody reads its log any more', async () => {
    const program = start(...ANY_PORTS, '--data', join(directory.path, 'pipe'), '--log-level', 'debug')
    await program.ready()
    program.closeOutput()
    assert.deepEqual(await program.stop(), { code: 0, signal: null })
  })

  it('prints help and version and does nothing else', async () => {
    const help = await finish('--help')
    assert.equal(help.code, 0)
    assert.match(help.stdout, /^Usage: mqtt-over-amqp \[options\]/)
    assert.equal(help.stderr, '')
    const manifest = JSON.parse(readFileSync('manifest.json', 'utf8')) as { version: string }
    assert.deepEqual(await finish('--version'), {
      code: 0,
      signal: null,
      stdout: manifest.version,
      stderr: ''
    })
  })

  it('names an option that there is not', async () => {
    assert.match(await refuse(2, '--mqtt-prot', '1'), /^Unknown option '--mqtt-prot'/)
  })

  it('names the MQTT port that is in use', async () => {
    const { server, port } = await takePort()
    const line = await refuse(1, '--mqtt-port', String(port), '--amqp-port', '0', '--data', data)
    assert.match(line, /MQTT/)
    assert.match(line, new RegExp(`127\\.0\\.0\\.1:${port}\\b.*in use`))
    server.close()
  })

  it('names the AMQP port that is in use', async () => {
    const { server, port } = await takePort()
    const line = await refuse(1, '--mqtt-port', '0', '--amqp-port', String(port), '--data', data)
    assert.match(line, /AMQP/)
    assert.match(line, new RegExp(`127\\.0\\.0\\.1:${port}\\b.*in use`))
    server.close()
  })

  it('names the HTTP port that is in use', async () => {
    const { server, port } = await takePort()
    const line = await refuse(1, ...ANY_PORTS, '--http-port', String(port), '--data', data)
    assert.equal(
      line,
      `the HTTP listener cannot listen on 127.0.0.1:${port}: the port is in use; expected a free one`
    )
    server.close()
  })

  it('names the data directory that another process has', async () => {
    const first = new RunningProgram()
    await first.start()
    const held = join(first.directory.path, 'data')
    const line = await refuse(1, ...ANY_PORTS, '--data', held)
    assert.ok(line.includes(held), line)
    assert.match(line, /another process/)
    await first.end()
  })

  it('names the data directory that a newer version wrote, and leaves it as it is', async () => {
    const newer = join(directory.path, 'newer')
    const first = start(...ANY_PORTS, '--data', newer)
    await first.ready()
    await first.stop()
    const level = new ClassicLevel<Buffer, string>(join(newer, 'default'), { keyEncoding: 'buffer' })
    await level.put(FORMAT_KEY, String(STORE_FORMAT + 1))
    await level.close()
    const line = await refuse(1, ...ANY_PORTS, '--data', newer)
    assert.ok(line.includes(newer), line)
    assert.match(line, new RegExp(`format ${STORE_FORMAT + 1}; this version reads up to ${STORE_FORMAT}$`))
  })

  it('names the data directory that cannot be made', async () => {
    const file = configFile('a-file', '')
    const line = await refuse(1, ...ANY_PORTS, '--data', join(file, 'data'))
    assert.ok(line.includes(file), line)
    assert.match(line, /part of the path is a file; expected a directory/)
  })

  it('names file, line and column of a configuration that is not JSON', async () => {
    const file = configFile('syntax.json', '{\n  "log": oops\n}')
    assert.equal(await refuse(2, '--config', file), `${file}:2:10: not JSON: expected a value`)
  })

  it('names the path in the configuration that the schema refuses', async () => {
    const file = configFile('schema.json', { spaces: [{ name: 'x', amqp: { port: 'high' } }] })
    const line = await refuse(2, '--config', file)
    assert.ok(line.startsWith(`${file}: /spaces/0/amqp/port: must be integer`), line)
  })

  it('names the path in the configuration that the plugin refuses', async () => {
    const mqtt = { listener: { port: 0 }, limits: { topicLevels: 0 } }
    const file = configFile('plugin.json', { spaces: [{ name: 'bad', amqp: { port: 0 }, mqtt }] })
    const line = await refuse(2, '--config', file, '--data', data)
    assert.ok(line.startsWith(`${file}: /spaces/0/mqtt/limits/topicLevels: must be >= 1`), line)
  })

  it('runs several spaces that do not see each other, one of them without MQTT', async () => {
    const spaces = [
      { name: 'one', amqp: { port: 0 }, mqtt: { listener: { port: 0 } } },
      { name: 'two', amqp: { port: 0 }, mqtt: { listener: { port: 0 } } },
      { name: 'off', amqp: { port: 0 } }
    ]
    const root = join(directory.path, 'several')
    mkdirSync(root)
    const file = configFile('several.json', { host: { dataDirectory: root }, spaces })
    const program = start('--config', file)
    const ready = await program.ready()
    assert.deepEqual(
      ready.map(({ name, mqtt }) => [name, mqtt.length]),
      [
        ['one', 1],
        ['two', 1],
        ['off', 0]
      ]
    )
    assert.equal(new Set(ready.flatMap(({ mqtt, amqp }) => [...mqtt, amqp])).size, 5)
    assert.equal((await program.stop()).code, 0)
  })
})
