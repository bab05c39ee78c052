// The configuration of the program: file and command line in, one frozen value out.
// Rule: schemas/standalone.schema.json is where options live; a space's `mqtt` is the plugin's to judge; a space that is wrong is
// refused alone.

import type { Address, ConfigError } from '../../plugin/host.js'
import { compileSchema } from '../../plugin/schema.js'
import schema from '../../schemas/standalone.schema.json' with { type: 'json' }
import type { RunArguments } from './arguments.js'
import { readConfigurationFile } from './configuration-file.js'
import type { LogLevel } from './logging.js'
import { findConflicts } from './space-conflicts.js'
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
  readonly duplicateIds: number
}

export interface SpaceConfiguration {
  readonly name: string
  /** JSON pointer to it in the file */
  readonly pointer: string
  readonly amqp: {
    readonly host: string
    readonly port: number
    /** also where the broker is not in this process */
    readonly besideBroker: boolean
    readonly limits: AmqpLimits
  }
  readonly anonymous: boolean
  readonly users: readonly UserConfiguration[]
  /** who a process that uses the broker of another logs in as; undefined: none may */
  readonly service?: { readonly name: string; readonly password: string } | undefined
  readonly addresses: readonly Address[]
  readonly mqtt?: object | undefined
}

export interface HttpConfiguration {
  readonly host: string
  readonly port: number
}

/** A space of the file that cannot be. */
export interface RefusedSpace {
  /** its place in the file where it has no name of its own */
  readonly name: string
  /** paths in the file */
  readonly errors: readonly ConfigError[]
}

export interface Configuration {
  readonly host: {
    readonly kind: 'embedded' | 'artemis'
    readonly dataDirectory: string
    /** where `artemis` is */
    readonly broker: { readonly host: string; readonly port: number }
  }
  readonly log: { readonly level: LogLevel }
  /** undefined: off */
  readonly http?: HttpConfiguration | undefined
  /** at least one */
  readonly spaces: readonly SpaceConfiguration[]
  readonly refused: readonly RefusedSpace[]
  /** another process has the broker, and the data; its AMQP port */
  readonly broker?: RunArguments['broker']
  /** parts of the plugin that run here; undefined: all */
  readonly roles?: RunArguments['roles']
}

/** `configuration` is undefined where there is nothing to start; `errors` are all there are, those of refused spaces too. */
export interface Examined {
  readonly configuration: Configuration | undefined
  readonly errors: readonly ConfigError[]
  /** those of the file, right or wrong */
  readonly found: readonly FoundSpace[]
}

interface FoundSpace {
  readonly pointer: string
  /** its place in the file where it has none */
  readonly name: string
  readonly space: unknown
}

/** As the schema has it. */
interface FileContent extends Omit<Configuration, 'spaces' | 'refused' | 'broker' | 'roles'> {
  readonly spaces: readonly Omit<SpaceConfiguration, 'pointer'>[]
}

/** where --http-port listens if the file does not say */
const LOOPBACK = '127.0.0.1'

const validate = compileSchema<FileContent>(schema)

/** Reads the file, if any, and lays the command line over it. Throws StartupError, a line for each fault, where no space is left. */
export function configure(args: RunArguments): Configuration {
  const { configuration, errors } = examine(args)
  if (configuration === undefined) throw new StartupError(2, describeErrors(sourceOf(args), errors))
  return configuration
}

/** As configure, but it throws only where there is no JSON to read. */
export function examine(args: RunArguments): Examined {
  const read = args.configFile === undefined ? {} : readConfigurationFile(args.configFile)
  const validation = validate(read)
  const content = typeof read === 'object' && read !== null ? read : {}
  const faults = 'errors' in validation ? validation.errors : []
  const found = spacesOf(content)
  if (faults.some(({ path }) => pointerOf(path) === undefined))
    return { configuration: undefined, errors: faults, found }
  const good = found.filter(({ pointer }) => !namedBy(faults, pointer))
  const rest =
    faults.length === 0 ? validation : validate({ ...content, spaces: good.map(({ space }) => space) })
  if ('errors' in rest) return { configuration: undefined, errors: faults, found }
  const all = rest.value.spaces.map((space, i) =>
    applyPorts({ ...space, pointer: good[i]?.pointer ?? `/spaces/${i}` }, args)
  )
  const remote = args.broker !== undefined || rest.value.host.kind === 'artemis'
  const errors = [
    ...faults,
    ...findConflicts(all, !remote),
    ...(remote ? findNoClients(all, args.broker === undefined ? 'host.broker' : '--host') : [])
  ]
  const spaces = all.filter(({ pointer }) => !namedBy(errors, pointer))
  if (spaces.length === 0) return { configuration: undefined, errors, found }
  const refused = refusedAmong(found, errors, spaces)
  return { configuration: { ...applyArguments(rest.value, args), spaces, refused }, errors, found }
}

/** A space that has the name of one that is not refused is called by its place. */
function refusedAmong(
  found: readonly FoundSpace[],
  errors: readonly ConfigError[],
  spaces: readonly SpaceConfiguration[]
): RefusedSpace[] {
  return found
    .map(({ pointer, name }) => ({
      name: spaces.some(space => space.name === name) ? pointer : name,
      errors: errors.filter(({ path }) => pointerOf(path) === pointer)
    }))
    .filter(space => space.errors.length > 0)
}

function applyArguments(
  { host, log, http }: FileContent,
  args: RunArguments
): Omit<Configuration, 'spaces' | 'refused'> {
  return {
    host: { ...host, dataDirectory: args.dataDirectory ?? host.dataDirectory },
    log: { level: args.logLevel ?? log.level },
    http: args.httpPort === undefined ? http : { host: http?.host ?? LOOPBACK, port: args.httpPort },
    broker: args.broker,
    roles: args.roles
  }
}

/** What keeps spaces from using a broker that is not in this process. */
function findNoClients(spaces: readonly SpaceConfiguration[], broker: string): ConfigError[] {
  return spaces.flatMap(({ pointer, service }, i) => {
    if (i > 0) return [{ path: pointer, message: `must not be there: with ${broker} there is one space` }]
    return service === undefined
      ? [{ path: pointer, message: `must have the property 'service' to use the broker of ${broker}` }]
      : []
  })
}

/** What errors call the configuration. */
export const sourceOf = ({ configFile = 'the configuration' }: RunArguments): string => configFile

/** One line for each error: file, JSON pointer, what was expected. */
export function describeErrors(source: string, errors: readonly ConfigError[]): string {
  return errors
    .map(({ path, message }) => `${source}: ${path === '' ? 'the whole' : path}: ${message}`)
    .join('\n')
}

/** `/spaces/1/users/0` -> `/spaces/1`; undefined: not of one space */
const pointerOf = (path: string): string | undefined => /^\/spaces\/\d+(?=\/|$)/.exec(path)?.[0]

const namedBy = (errors: readonly ConfigError[], pointer: string): boolean =>
  errors.some(({ path }) => pointerOf(path) === pointer)

/** Spaces of a file that may be wrong anywhere. */
function spacesOf(content: object): FoundSpace[] {
  const spaces: unknown = 'spaces' in content ? content.spaces : []
  return (Array.isArray(spaces) ? spaces : []).map((space: unknown, i) => {
    const pointer = `/spaces/${i}`
    const named = typeof space === 'object' && space !== null && 'name' in space ? space.name : undefined
    return { pointer, name: typeof named === 'string' ? named : pointer, space }
  })
}

/** Those of the command line are for the first space of the file. */
function applyPorts(space: SpaceConfiguration, { amqpPort, mqttPort }: RunArguments): SpaceConfiguration {
  if (space.pointer !== '/spaces/0') return space
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
