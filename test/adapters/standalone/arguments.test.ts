// The command line as a user types it: what each option gives, and the line that each mistake gets.

import assert from 'node:assert/strict'

import { helpText, parseArguments } from '../../../adapters/standalone/arguments.js'
import { StartupError } from '../../../adapters/standalone/startup-error.js'

const refusal = (...argv: string[]): string => {
  try {
    parseArguments(argv)
  } catch (error) {
    assert.ok(error instanceof StartupError)
    assert.equal(error.exitCode, 2)
    assert.ok(!error.message.includes('\n'), 'one line')
    return error.message
  }
  return assert.fail('accepted')
}

describe('standalone arguments', () => {
  it('leaves what is not given undefined', () => {
    assert.deepEqual(parseArguments([]), {
      action: 'run',
      configFile: undefined,
      mqttPort: undefined,
      amqpPort: undefined,
      httpPort: undefined,
      dataDirectory: undefined,
      logLevel: undefined,
      broker: undefined,
      roles: undefined
    })
  })

  it('takes every option, with = and without', () => {
    const argv =
      '--mqtt-port=0 --amqp-port 65535 --http-port 9464 --data d --config c.json --log-level debug'.split(' ')
    assert.deepEqual(parseArguments(argv), {
      action: 'run',
      configFile: 'c.json',
      mqttPort: 0,
      amqpPort: 65535,
      httpPort: 9464,
      dataDirectory: 'd',
      logLevel: 'debug',
      broker: undefined,
      roles: undefined
    })
  })

  it('checks in place of running with --check', () => {
    const parsed = parseArguments(['--check', '--config', 'c.json'])
    assert.ok(parsed.action === 'check')
    assert.equal(parsed.configFile, 'c.json')
  })

  it('answers --help and --version whatever else is there', () => {
    assert.deepEqual(parseArguments(['--mqtt-port', 'x', '--help']), { action: 'help' })
    assert.deepEqual(parseArguments(['--version']), { action: 'version' })
  })

  for (const value of ['65536', '-1', '1e3', '0x10', '', ' 1', '1.5', 'abc', '100000']) {
    it(`refuses ${JSON.stringify(value)} as a port and names option, expectation and value`, () => {
      assert.equal(
        refusal(`--amqp-port=${value}`),
        `--amqp-port: expected a port number from 0 to 65535, got "${value}"`
      )
    })
  }

  it('takes the broker of another process, with or without its port, and the parts that run here', () => {
    const brokerOf = (url: string): unknown => {
      const parsed = parseArguments(['--host', url, '--roles', 'gateway, subscription'])
      assert.ok(parsed.action === 'run')
      assert.deepEqual(parsed.roles, ['gateway', 'subscription'])
      return parsed.broker
    }
    assert.deepEqual(brokerOf('amqp://broker.example'), { host: 'broker.example', port: 5672 })
    assert.deepEqual(brokerOf('amqp://127.0.0.1:1234/'), { host: '127.0.0.1', port: 1234 })
    assert.deepEqual(brokerOf('amqp://[::1]:1'), { host: '::1', port: 1 })
  })

  for (const url of [
    ...[
      '',
      'broker',
      'broker:5672',
      'http://broker',
      'amqps://broker',
      'amqp:broker',
      'amqp://',
      'amqp://:5672'
    ],
    ...['amqp://broker:0', 'amqp://broker:65536', 'amqp://broker:port', 'amqp://user:secret@broker'],
    ...['amqp://:secret@broker', 'amqp://broker/path', 'amqp://broker?a=b', 'amqp://broker#a']
  ]) {
    it(`refuses ${JSON.stringify(url)} as a broker and names option, expectation and value`, () => {
      assert.equal(refusal(`--host=${url}`), `--host: expected amqp://HOST:PORT, got "${url}"`)
    })
  }

  for (const roles of ['', 'gateway,', 'gateway,services', 'Gateway']) {
    it(`refuses ${JSON.stringify(roles)} as roles and names those that there are`, () => {
      assert.equal(
        refusal(`--roles=${roles}`),
        `--roles: expected a list of gateway and subscription, got "${roles}"`
      )
    })
  }

  it('names an option that it does not know', () => {
    assert.match(refusal('--mqtt-prot', '1'), /^Unknown option '--mqtt-prot'; --help lists the options$/)
    assert.match(refusal('-x'), /'-x'/)
  })

  it('names an argument that belongs to no option', () => {
    assert.match(refusal('start'), /'start'/)
  })

  it('names an option without its value, and one that takes none', () => {
    assert.match(refusal('--data'), /'--data/)
    assert.match(refusal('--data', '--help'), /'--data/)
    assert.match(refusal('--help=yes'), /'--help/)
    assert.equal(refusal('--config='), '--config: expected a path, got ""')
  })

  it('names the log levels that there are', () => {
    assert.equal(
      refusal('--log-level', 'loud'),
      '--log-level: expected one of debug, info, warn, error, silent, got "loud"'
    )
  })

  it('has a line in --help for each option', () => {
    for (const name of [
      'mqtt-port N',
      'amqp-port N',
      'data DIR',
      'host URL',
      'roles LIST',
      'config FILE',
      'log-level LEVEL',
      'check',
      'help',
      'version'
    ]) {
      assert.match(helpText(), new RegExp(`^  --${name}  +\\S`, 'm'))
    }
  })
})
