// The configuration of the program: defaults, the command line over the file, and the line that each mistake gets.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { RunArguments } from '../../../adapters/standalone/arguments.js'
import { parseArguments } from '../../../adapters/standalone/arguments.js'
import { configure } from '../../../adapters/standalone/configuration.js'
import { StartupError } from '../../../adapters/standalone/startup-error.js'

describe('standalone configuration', () => {
  let directory: string
  let file: string

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'configuration-'))
    file = join(directory, 'c.json')
  })
  after(() => rmSync(directory, { recursive: true }))

  const args = (...argv: string[]): RunArguments => {
    const parsed = parseArguments(argv)
    assert.equal(parsed.action, 'run')
    return parsed
  }
  const read = (content: unknown, ...argv: string[]) => {
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
    return configure(args('--config', file, ...argv))
  }
  const refusal = (work: () => unknown): string[] => {
    try {
      work()
    } catch (error) {
      assert.ok(error instanceof StartupError, String(error))
      assert.equal(error.exitCode, 2)
      return error.message.split('\n')
    }
    return assert.fail('accepted')
  }

  it('is one space on 127.0.0.1, MQTT 1883 and AMQP 5672, data in ./data, without a file', () => {
    const { host, log, spaces } = configure(args())
    const broker = { host: '127.0.0.1', port: 5672 }
    assert.deepEqual(host, { kind: 'embedded', dataDirectory: './data', broker })
    assert.equal(log.level, 'info')
    assert.equal(spaces.length, 1)
    const [space] = spaces
    assert.equal(space?.name, 'default')
    assert.equal(space.anonymous, true)
    const { limits, ...amqp } = space.amqp
    assert.deepEqual(amqp, { host: '127.0.0.1', port: 5672, besideBroker: false })
    assert.equal(limits.connections, 10_000)
    assert.deepEqual(space.mqtt, { listener: { host: '127.0.0.1', port: 1883 } })
    assert.deepEqual(space.users, [])
    assert.deepEqual(space.addresses, [])
  })

  it('is one space with a service where a broker carries it, and users without passwords', () => {
    const host = { kind: 'artemis', broker: { port: 15672 } }
    const service = { name: 'plugin', password: 'plugin secret' }
    const users = [{ name: 'sensor', clientIds: ['sensor-*'] }]
    const configuration = read({ host, spaces: [{ name: 'a', service, users }] })
    assert.deepEqual(configuration.host.broker, { host: '127.0.0.1', port: 15672 })
    assert.deepEqual(
      configuration.spaces[0]?.users.map(({ name, clientIds }) => [name, clientIds]),
      [['sensor', ['sensor-*']]]
    )
    const wrong = refusal(() => read({ host, spaces: [{ name: 'a' }] }))
    assert.deepEqual(wrong, [
      `${file}: /spaces/0: must have the property 'service' to use the broker of host.broker`
    ])
  })

  it('puts the command line over the file, ports on the first space', () => {
    const { host, log, spaces } = read(
      {
        host: { dataDirectory: '/a' },
        log: { level: 'warn' },
        spaces: [
          { name: 'one', mqtt: { listener: { host: '127.0.0.2', port: 1 }, limits: { topicLevels: 3 } } },
          { name: 'two', amqp: { port: 3 }, mqtt: { listener: { port: 4 } } }
        ]
      },
      ...'--data /b --log-level error --mqtt-port 5 --amqp-port 6'.split(' ')
    )
    assert.equal(host.dataDirectory, '/b')
    assert.equal(log.level, 'error')
    assert.equal(spaces[0]?.amqp.host, '127.0.0.1')
    assert.equal(spaces[0].amqp.port, 6)
    assert.deepEqual(spaces[0]?.mqtt, {
      listener: { host: '127.0.0.2', port: 5 },
      limits: { topicLevels: 3 }
    })
    assert.equal(spaces[1]?.amqp.port, 3)
    assert.deepEqual(spaces[1]?.mqtt, { listener: { port: 4 } })
  })

  it('leaves MQTT off in a space that has no mqtt, unless --mqtt-port asks for it', () => {
    assert.equal(read({ spaces: [{ name: 'a' }] }).spaces[0]?.mqtt, undefined)
    assert.deepEqual(read({ spaces: [{ name: 'a' }] }, '--mqtt-port', '9').spaces[0]?.mqtt, {
      listener: { port: 9 }
    })
  })

  it('fills in the rights of a user', () => {
    const { spaces } = read({ spaces: [{ name: 'a', users: [{ name: 'u', password: 'p' }] }] })
    assert.deepEqual(spaces[0]?.users, [
      { name: 'u', password: 'p', send: ['#'], receive: ['#'], clientIds: ['*'] }
    ])
  })

  it('lets the user anonymous have no password', () => {
    const users = [{ name: 'anonymous', send: [] }]
    assert.deepEqual(read({ spaces: [{ name: 'a', users }] }).spaces[0]?.users, [
      { name: 'anonymous', send: [], receive: ['#'], clientIds: ['*'] }
    ])
  })

  it('reads a file with a byte order mark', () => {
    assert.equal(read('\uFEFF{"log": {"level": "debug"}}').log.level, 'debug')
  })

  it('names a file that is not there, or cannot be read', () => {
    const missing = join(directory, 'missing.json')
    assert.deepEqual(
      refusal(() => configure(args('--config', missing))),
      [`--config: cannot read ${missing}: there is no such file`]
    )
    assert.deepEqual(
      refusal(() => configure(args('--config', directory))),
      [`--config: cannot read ${directory}: it is a directory`]
    )
  })

  it('names line and column of what is not JSON', () => {
    assert.deepEqual(
      refusal(() => read('{\n  "log": {\n    "level": info\n  }\n}')),
      [`${file}:3:14: not JSON: expected a value`]
    )
  })

  const faults: readonly (readonly [string, unknown, RegExp])[] = [
    ['an unknown option', { logs: {} }, /: \/logs: is not an option$/],
    [
      'an unknown option deep down',
      { spaces: [{ name: 'a', amqp: { prot: 1 } }] },
      /: \/spaces\/0\/amqp\/prot: /
    ],
    ['a wrong level', { log: { level: 'loud' } }, /: \/log\/level: must be one of "debug", "info"/],
    [
      'a wrong type',
      { spaces: [{ name: 'a', amqp: { port: '1' } }] },
      /: \/spaces\/0\/amqp\/port: must be integer/
    ],
    [
      'a number out of range',
      { spaces: [{ name: 'a', amqp: { port: 70000 } }] },
      /\/spaces\/0\/amqp\/port: must be <= 65535/
    ],
    ['a missing name', { spaces: [{}] }, /: \/spaces\/0: must have required property 'name'/],
    ['a name that is no folder', { spaces: [{ name: '../x' }] }, /: \/spaces\/0\/name: must match pattern/],
    ['no space', { spaces: [] }, /: \/spaces: must NOT have fewer than 1 items/],
    ['another kind of file', [], /: the whole: must be object/],
    [
      'a user twice',
      {
        spaces: [
          {
            name: 'a',
            users: [
              { name: 'u', password: '1' },
              { name: 'u', password: '2' }
            ]
          }
        ]
      },
      /: \/spaces\/0\/users\/1\/name: /
    ],
    [
      'a user without a password',
      { spaces: [{ name: 'a', users: [{ name: 'u' }] }] },
      /: \/spaces\/0\/users\/0: must have a password$/
    ],
    [
      'a right that is no topic filter',
      { spaces: [{ name: 'a', users: [{ name: 'u', password: 'p', receive: ['a', 'a#'] }] }] },
      /: \/spaces\/0\/users\/0\/receive\/1: must be a topic filter, not "a#"$/
    ],
    [
      'an address twice',
      {
        spaces: [
          {
            name: 'a',
            addresses: [
              { name: 'q', type: 'queue' },
              { name: 'q', type: 'topic' }
            ]
          }
        ]
      },
      /: \/spaces\/0\/addresses\/1\/name: /
    ]
  ]
  for (const [what, content, expected] of faults) {
    it(`names file, path and expectation for ${what}`, () => {
      const lines = refusal(() => read(content))
      assert.equal(lines.length, 1, lines.join('\n'))
      const [line = ''] = lines
      assert.ok(line.startsWith(`${file}: `), line)
      assert.match(line, expected)
    })
  }

  it('refuses a space that is wrong alone, and keeps the places of the others', () => {
    const { spaces, refused } = read(
      {
        spaces: [
          { name: 'a', amqp: { port: 'x' }, typo: 1 },
          { name: 'b', amqp: { port: 1 } },
          { name: 'b', amqp: { port: 2 } },
          { name: 'd', amqp: { port: 1 } },
          { nam: 'e' },
          { name: 'f', users: [{ name: 'u' }] },
          { name: 'g', amqp: { port: 3 } }
        ]
      },
      '--amqp-port',
      '9'
    )
    assert.deepEqual(
      spaces.map(({ name, pointer, amqp }) => [name, pointer, amqp.port]),
      [
        ['b', '/spaces/1', 1],
        ['g', '/spaces/6', 3]
      ]
    )
    assert.deepEqual(
      refused.map(({ name, errors }) => [name, errors.map(({ path }) => path).sort()]),
      [
        ['a', ['/spaces/0/amqp/port', '/spaces/0/typo']],
        ['/spaces/2', ['/spaces/2/name']],
        ['d', ['/spaces/3/amqp']],
        ['/spaces/4', ['/spaces/4', '/spaces/4/nam']],
        ['f', ['/spaces/5/users/0']]
      ]
    )
    assert.deepEqual(
      refused
        .flatMap(({ errors }) => errors.map(({ message }) => message))
        .filter(line => /again/.test(line)),
      [
        'must be another name than /spaces/1/name, not "b" again',
        'must be another listener than /spaces/1/amqp, not "127.0.0.1:1" again'
      ]
    )
  })

  it('refuses the whole file where something else than a space is wrong', () => {
    const spaces = [{ name: 'a' }, { name: 'b', typo: 1 }]
    assert.equal(refusal(() => read({ spaces, log: { level: 'loud' } })).length, 2)
  })

  it('says all that is wrong where no space is left', () => {
    const spaces = [{ name: 'a', typo: 1 }, { name: 'b', users: [{ name: 'u' }] }, { name: 1 }]
    assert.deepEqual(
      refusal(() => read({ spaces })).map(line => line.split(': ')[1]),
      ['/spaces/0/typo', '/spaces/2/name', '/spaces/1/users/0']
    )
  })

  it('has a line for each mistake', () => {
    assert.equal(refusal(() => read({ x: 1, log: { level: 'loud' } })).length, 2)
  })

  it('lets spaces share port 0', () => {
    const spaces = [
      { name: 'a', amqp: { port: 0 } },
      { name: 'b', amqp: { port: 0 } }
    ]
    assert.equal(read({ spaces }).spaces.length, 2)
  })

  it('names what is wrong with a password without repeating it', () => {
    const lines = refusal(() => read({ spaces: [{ name: 'a', users: [{ name: 'u', password: 12345 }] }] }))
    assert.match(lines.join(' '), /\/spaces\/0\/users\/0\/password: must be string/)
    assert.doesNotMatch(lines.join(' '), /12345/)
  })
})
