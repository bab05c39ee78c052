// The configuration of the program: file and command line in, one frozen value out.
// Rule: schemas/standalone.schema.json is where options live; a space's `mqtt` is the plugin's to judge.

import { readFileSync } from 'node:fs'

import type { Address, ConfigError } from '../../plugin/host.js'
import { isValidTopicFilter } from '../../plugin/mqtt/topic.js'
import { compileSchema } from '../../plugin/schema.js'
import schema from '../../schemas/standalone.schema.json' with { type: 'json' }
import type { RunArguments } from './arguments.js'
import { findSyntaxFault } from './json-syntax.js'
import type { LogLevel } from './logging.js'
import { StartupError } from './startup-error.js'

/** `send` and `receive` are topic filters; `clientIds` are ids, with `*` at the end for any ending. */
export interface UserConfiguration {
  readonly name: string
  /** undefined: only for `anonymous`, whose rights those without a name have */
  readonly password?: string | undefined
  readonly send: readonly string[]
  readonly receive: readonly string[]
  readonly clientIds: readonly string[]
}

/** Each limit's meaning, unit and default: schemas/standalone.schema.json. */
export interface AmqpLimits {
  readonly connections: number
  readonly openTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly frameBytes: number
  readonly messageBytes: number
  readonly sessionsPerConnection: number
  readonly linksPerConnection: number
  readonly creditPerSender: number
  readonly unsettledPerReceiver: number
  readonly bufferedBytes: number
  readonly nodeBytes: number
}

export interface SpaceConfiguration {
  readonly name: string
  readonly amqp: { readonly host: string; readonly port: number; readonly limits: AmqpLimits }
  readonly anonymous: boolean
  readonly users: readonly UserConfiguration[]
  readonly addresses: readonly Address[]
  readonly mqtt?: object | undefined
}

export interface Configuration {
  readonly host: { readonly kind: 'embedded'; readonly dataDirectory: string }
  readonly log: { readonly level: LogLevel }
  /** at least one */
  readonly spaces: readonly SpaceConfiguration[]
}

const validate = compileSchema<Configuration>(schema)

/** Reads the file, if any, and lays the command line over it. Throws StartupError with a line for each fault. */
export function configure(args: RunArguments): Configuration {
  const source = args.configFile ?? 'the configuration'
  const validation = validate(args.configFile === undefined ? {} : readJson(args.configFile))
  if ('errors' in validation) throw new StartupError(2, describeErrors(source, '', validation.errors))
  const configuration = applyArguments(validation.value, args)
  const errors = findConflicts(configuration)
  if (errors.length > 0) throw new StartupError(2, describeErrors(source, '', errors))
  return configuration
}

/** One line for each error: file, JSON pointer, what was expected. */
export function describeErrors(source: string, pointer: string, errors: readonly ConfigError[]): string {
  return errors
    .map(({ path, message }) => `${source}: ${`${pointer}${path}` || 'the whole'}: ${message}`)
    .join('\n')
}

function readJson(file: string): unknown {
  let text: string
  try {
    text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '')
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    const reason = READ_FAULTS[code] ?? code
    throw new StartupError(2, `--config: cannot read ${file}: ${reason}`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    const fault = findSyntaxFault(text)
    if (fault === undefined) throw error
    throw new StartupError(2, `${file}:${fault.line}:${fault.column}: not JSON: expected ${fault.expected}`)
  }
}

const READ_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied'
}

function applyArguments(configuration: Configuration, args: RunArguments): Configuration {
  const { host, log, spaces } = configuration
  return {
    host: { ...host, dataDirectory: args.dataDirectory ?? host.dataDirectory },
    log: { level: args.logLevel ?? log.level },
    spaces: spaces.map((space, index) => (index === 0 ? applyPorts(space, args) : space))
  }
}

function applyPorts(space: SpaceConfiguration, { amqpPort, mqttPort }: RunArguments): SpaceConfiguration {
  return {
    ...space,
    amqp: { ...space.amqp, port: amqpPort ?? space.amqp.port },
    mqtt: mqttPort === undefined ? space.mqtt : withPort(space.mqtt, mqttPort)
  }
}

/** A listener that is no object stays as it is: the plugin says what is wrong with it. */
function withPort(mqtt: object | undefined, port: number): object {
  const listener: unknown = mqtt !== undefined && 'listener' in mqtt ? mqtt.listener : {}
  return typeof listener === 'object' ? { ...mqtt, listener: { ...listener, port } } : { ...mqtt }
}

/** What the schema cannot say: names are unique, and so are the AMQP listeners; rights are topic filters. */
function findConflicts({ spaces }: Configuration): ConfigError[] {
  return [
    ...findRepeated(
      'name',
      spaces.map((space, i) => [`/spaces/${i}/name`, space.name])
    ),
    ...findRepeated(
      'listener',
      spaces.map(({ amqp }, i) => [
        `/spaces/${i}/amqp`,
        amqp.port === 0 ? undefined : `${amqp.host}:${amqp.port}`
      ])
    ),
    ...spaces.flatMap(({ users, addresses }, i) => [
      ...users.flatMap((user, j) => findUserFaults(user, `/spaces/${i}/users/${j}`)),
      ...findRepeated(
        'user',
        users.map((user, j) => [`/spaces/${i}/users/${j}/name`, user.name])
      ),
      ...findRepeated(
        'address',
        addresses.map((address, j) => [`/spaces/${i}/addresses/${j}/name`, address.name])
      )
    ])
  ]
}

function findUserFaults({ name, password, send, receive }: UserConfiguration, path: string): ConfigError[] {
  const filters = [
    ...send.map((filter, i) => [`${path}/send/${i}`, filter] as const),
    ...receive.map((filter, i) => [`${path}/receive/${i}`, filter] as const)
  ]
  const invalid = filters.filter(([, filter]) => !isValidTopicFilter(filter))
  return [
    ...(password === undefined && name !== 'anonymous' ? [{ path, message: 'must have a password' }] : []),
    ...invalid.map(([at, filter]) => ({
      path: at,
      message: `must be a topic filter, not ${JSON.stringify(filter)}`
    }))
  ]
}

function findRepeated(
  what: string,
  entries: readonly (readonly [path: string, value: string | undefined])[]
): ConfigError[] {
  const first = new Map<string, string>()
  return entries.flatMap(([path, value]) => {
    if (value === undefined) return []
    const before = first.get(value)
    if (before !== undefined) {
      return [{ path, message: `must be another ${what} than ${before}, not ${JSON.stringify(value)} again` }]
    }
    first.set(value, path)
    return []
  })
}
