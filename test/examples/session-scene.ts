// What the examples for pure AMQP clients do, in JavaScript and in Python, as the page docs/amqp-clients.md has them run.
// Rule: both do the same, word for word, and on each host, so one scene is for all; only the address differs.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { IClientOptions } from 'mqtt'

import { MqttJsClient } from '../interop/clients/mqtt-js.js'
import { need, PYTHON } from '../interop/tools.js'

/** Where AMQP clients and MQTT clients reach one space. */
export interface SceneServer {
  start(): Promise<void>
  end(): Promise<void>
  readonly amqpPort: number
  readonly mqttPort: number
  /** undefined: nobody needs a name */
  readonly user?: { readonly name: string; readonly password: string } | undefined
}

interface Ended {
  readonly code: number | null
  /** JSON of each line */
  readonly lines: readonly unknown[]
  readonly errors: string
}

const example = (name: string): string => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url))

function urlOf({ amqpPort, user }: SceneServer): string {
  const login = user && [user.name, user.password].map(encodeURIComponent).join(':')
  return `amqp://${login === undefined ? '' : `${login}@`}127.0.0.1:${amqpPort}`
}

function loginOf({ user }: SceneServer): IClientOptions {
  return user === undefined ? {} : { username: user.name, password: user.password }
}

function describeExample(
  name: string,
  command: readonly [string, string],
  id: string,
  server: SceneServer
): void {
  describe(`the example ${name}`, () => {
    const run = (...args: readonly string[]): Promise<Ended> => {
      const [program, script] = command
      const child = spawn(program, [script, ...args], {
        env: { ...process.env, AMQP_URL: urlOf(server) },
        stdio: ['ignore', 'pipe', 'pipe']
      })
      let output = ''
      let errors = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
      return new Promise(resolve =>
        child.once('close', code => {
          const lines = output.split('\n').filter(line => line !== '')
          resolve({ code, lines: lines.map(line => JSON.parse(line) as unknown), errors })
        })
      )
    }
    const succeed = async (...args: readonly string[]): Promise<readonly unknown[]> => {
      const { code, lines, errors } = await run(...args)
      assert.equal(code, 0, errors)
      return lines
    }
    const publish = async (
      ...entries: readonly (readonly [topic: string, payload: string, retain: boolean])[]
    ) => {
      const publisher = await MqttJsClient.connect(server.mqttPort, loginOf(server))
      for (const [topic, payload, retain] of entries) await publisher.publish(topic, payload, 1, { retain })
      await publisher.end()
    }
    const copy = (topic: string, payload: string, retained = false) => ({ topic, payload, qos: 1, retained })

    if (command[0] === PYTHON) before(need('proton'))
    before(() => server.start())
    after(() => server.end())

    it('makes a session when it lists it, and finds it then', async () => {
      assert.deepEqual(await succeed('list', id), [{ present: false, filters: {} }])
      assert.deepEqual(await succeed('list', id), [{ present: true, filters: {} }])
    })

    it('gets what is retained first, then what is published, also while it is away', async () => {
      await publish(['home/kitchen', '21', true], ['home/hall', '17', true], ['home/hall', '', true])
      assert.deepEqual(await succeed('subscribe', id, 'home/#'), [])
      assert.deepEqual(await succeed('receive', id, '1'), [copy('home/kitchen', '21', true)])
      await publish(['home/garden', '9', false], ['home/kitchen', '22', true])
      assert.deepEqual(await succeed('list', id), [{ present: true, filters: { 'home/#': 1 } }])
      assert.deepEqual(await succeed('receive', id, '1'), [copy('home/garden', '9')])
      assert.deepEqual(await succeed('receive', id, '1'), [copy('home/kitchen', '22')])
    })

    it('reads the retained message of a topic as often as it likes', async () => {
      for (let times = 0; times < 2; times++)
        assert.deepEqual(await succeed('retained', 'home/kitchen'), [copy('home/kitchen', '22', true)])
      assert.deepEqual(await succeed('retained', 'home/hall'), [])
    })

    it('says what was wrong with a request, and fails', async () => {
      const { code, errors } = await run('subscribe', id, 'a/#/b')
      assert.equal(code, 1)
      assert.match(errors, /amqp:precondition-failed.*"a\/#\/b" is no valid topic filter/)
    })

    it('gives up a subscription, and then the session', async () => {
      await succeed('unsubscribe', id, 'home/#')
      await publish(['home/garden', 'nobody gets this', false])
      assert.deepEqual(await succeed('list', id), [{ present: true, filters: {} }])
      assert.deepEqual(await succeed('receive', id), [])
      await succeed('close', id)
      const { code, errors } = await run('receive', id)
      assert.equal(code, 1)
      assert.match(errors, /amqp:not-found/)
    })
  })
}

const COMMANDS = {
  JavaScript: [process.execPath, example('amqp-session.mjs')],
  Python: [PYTHON, example('amqp-session.py')]
} as const

/** Each language on a server of its own. */
export function describeExamples(server: () => SceneServer): void {
  describeExample('in JavaScript', COMMANDS.JavaScript, 'log/ger', server())
  describeExample('in Python', COMMANDS.Python, 'größer', server())
}
