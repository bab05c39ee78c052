// The walk in README.md: its commands, run as they stand there, print what it says they print.
// Rule: only the ports differ, since the defaults may be in use where the tests run.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { RunningProgram } from '../fixtures/program.js'
import { need } from './tools.js'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

/** The block after the comment `<!-- walk: NAME -->`. */
function block(name: string): string {
  const text = new RegExp(`<!-- walk: ${name} -->\n+\`\`\`\\w+\n(.*?)\`\`\``, 's').exec(readme)?.[1]
  assert.ok(text, `README.md has the block ${name}`)
  return text
}

describe('interop: the walk in README.md', () => {
  const server = new RunningProgram()
  before(need('mosquitto'))
  before(need('proton'))
  before(() => server.start())
  after(() => server.end())

  const run = async (name: string): Promise<string> => {
    const script = block(name)
      .replaceAll(/mosquitto_(pub|sub)/g, `$& -p ${server.mqttPort}`)
      .replaceAll('127.0.0.1:5672', `127.0.0.1:${server.amqpPort}`)
    // Debian's python3 is the one that Debian's Proton is for
    const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
      env: { ...process.env, PATH: `/usr/bin:${process.env['PATH']}` },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    }
    const code = await new Promise(resolve => child.once('close', resolve))
    assert.equal(code, 0, output)
    return output
  }

  /** A person sends when the receiver waits; a script cannot see that, and sends until the receiver has it. */
  const exchange = async (receiver: string, sender: string): Promise<string> => {
    let received: string | undefined
    const receiving = run(receiver).then(output => {
      received = output
    })
    const failed = receiving.then(
      () => false,
      () => true
    )
    while (received === undefined) {
      await run(sender)
      // a turn of the event loop, in which the receiver's end may be seen
      if (await Promise.race([failed, new Promise<false>(resolve => setImmediate(() => resolve(false)))]))
        break
    }
    await receiving
    return received ?? ''
  }

  it('goes from MQTT to MQTT', async () => {
    assert.equal(await exchange('mqtt receiver', 'mqtt sender'), 'home/kitchen 21.5\n')
  })

  it('goes from MQTT to AMQP', async () => {
    assert.equal(await exchange('amqp receiver', 'mqtt sender'), 'home/kitchen 21.5 0\n')
  })

  it('goes from AMQP to MQTT', async () => {
    assert.equal(await exchange('mqtt receiver', 'amqp sender'), 'home/garden {"celsius":18.5}\n')
  })

  it('keeps messages for an AMQP client that is away, through a restart', async () => {
    assert.equal(await run('durable subscribe'), '')
    assert.equal(await run('durable publish'), '')
    await server.stop()
    await server.start()
    assert.equal(await run('durable receive'), 'home/kitchen 21.7\nhome/garden 17.9\n')
  })

  it('shows a configuration that is valid', async () => {
    await server.stop()
    const file = join(server.directory.path, 'config.json')
    writeFileSync(file, block('configuration'))
    await server.start('--config', file)
    assert.deepEqual(
      (await server.program.ready()).map(({ name }) => name),
      ['default']
    )
  })
})
