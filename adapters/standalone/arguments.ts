// The command line: text in, one value out.
// Rule: every option is a row of OPTIONS; the parser, the checks and --help are made from it.

import { parseArgs } from 'node:util'

import { LOG_LEVELS, type LogLevel } from './logging.js'
import { StartupError } from './startup-error.js'

/** What the command line asked for beyond the configuration; undefined: not given. */
export interface RunArguments {
  readonly action: 'run' | 'check'
  readonly configFile: string | undefined
  readonly mqttPort: number | undefined
  readonly amqpPort: number | undefined
  readonly httpPort: number | undefined
  readonly dataDirectory: string | undefined
  readonly logLevel: LogLevel | undefined
  /** the AMQP port of a process that has the broker; undefined: the broker is in this one */
  readonly broker: { readonly host: string; readonly port: number } | undefined
  /** parts of the plugin that run here; undefined: all */
  readonly roles: readonly Role[] | undefined
}

const ROLES = ['gateway', 'subscription'] as const
export type Role = (typeof ROLES)[number]

export type Arguments = RunArguments | { readonly action: 'help' } | { readonly action: 'version' }

interface OptionRow {
  /** name of the value in --help; undefined: the option takes none */
  readonly value?: string
  readonly description: string
}

const OPTIONS = {
  'mqtt-port': { value: 'N', description: 'MQTT port of the first space; 0: any free one (default 1883)' },
  'amqp-port': { value: 'N', description: 'AMQP port of the first space; 0: any free one (default 5672)' },
  'http-port': {
    value: 'N',
    description: 'HTTP port of /metrics, /healthz and /readyz; 0: any free one (default: none)'
  },
  data: { value: 'DIR', description: 'data directory, made if it is not there (default ./data)' },
  host: {
    value: 'URL',
    description: 'use the broker of another process: amqp://HOST:PORT, as its service user (configuration)'
  },
  roles: { value: 'LIST', description: `${ROLES.join(', ')}: what of the plugin runs here (default: all)` },
  config: { value: 'FILE', description: 'configuration, JSON as in schemas/standalone.schema.json' },
  'log-level': { value: 'LEVEL', description: `${LOG_LEVELS.join(', ')} (default info)` },
  check: { description: 'say what is wrong with the configuration, start nothing; exit code 0 or 2' },
  help: { description: 'print this text and exit' },
  version: { description: 'print the version and exit' }
} as const satisfies Record<string, OptionRow>

type OptionName = keyof typeof OPTIONS
type ParsedOptions = Partial<Record<OptionName, string | boolean>>

/** The text of --help. */
export function helpText(): string {
  const rows = Object.entries<OptionRow>(OPTIONS).map(
    ([name, row]) => [`--${name}${row.value === undefined ? '' : ` ${row.value}`}`, row.description] as const
  )
  const width = Math.max(...rows.map(([option]) => option.length))
  return [
    'Usage: mqtt-over-amqp [options]',
    '',
    'An AMQP 1.0 broker with the MQTT plugin in one process, on 127.0.0.1 unless configured otherwise.',
    '',
    'Options:',
    ...rows.map(([option, description]) => `  ${option.padEnd(width)}  ${description}`),
    '',
    'Options win over the configuration file. Log lines are JSON on stdout; what keeps the program',
    'from starting is one line on stderr. SIGINT and SIGTERM end it with exit code 0, a second one at once with 1.'
  ].join('\n')
}

/** Throws StartupError for what is no option, or no value for one. */
export function parseArguments(argv: readonly string[]): Arguments {
  const values = readOptions(argv)
  if (values.help === true) return { action: 'help' }
  if (values.version === true) return { action: 'version' }
  return {
    action: values.check === true ? 'check' : 'run',
    configFile: path('config', values),
    mqttPort: port('mqtt-port', values),
    amqpPort: port('amqp-port', values),
    httpPort: port('http-port', values),
    dataDirectory: path('data', values),
    logLevel: logLevel(values),
    broker: broker(values),
    roles: roles(values)
  }
}

function readOptions(argv: readonly string[]): ParsedOptions {
  const options = Object.fromEntries(
    Object.entries<OptionRow>(OPTIONS).map(([name, row]) => [
      name,
      { type: row.value === undefined ? ('boolean' as const) : ('string' as const) }
    ])
  )
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values
  } catch (error) {
    // parseArgs names the option in the first line and sentence; the rest is advice about its own syntax
    const [line = ''] = (error as Error).message.split(/\n|\. /)
    throw new StartupError(2, `${line.replace(/\.$/, '')}; --help lists the options`)
  }
}

function path(name: OptionName, values: ParsedOptions): string | undefined {
  const value = values[name]
  if (typeof value !== 'string') return undefined
  if (value === '') throw new StartupError(2, `--${name}: expected a path, got ""`)
  return value
}

function port(name: OptionName, values: ParsedOptions): number | undefined {
  const value = values[name]
  if (typeof value !== 'string') return undefined
  const number = /^\d{1,5}$/.test(value) ? Number(value) : Infinity
  if (number > 65535) {
    throw new StartupError(2, `--${name}: expected a port number from 0 to 65535, got "${value}"`)
  }
  return number
}

/** What AMQP has for a port that is not named. */
const AMQP_PORT = 5672

function broker(values: ParsedOptions): RunArguments['broker'] {
  const { host: value } = values
  if (typeof value !== 'string') return undefined
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !/^amqp:\/\/[^/?#@]+\/?$/.test(value) || url.hostname === '' || url.port === '0') {
    throw new StartupError(2, `--host: expected amqp://HOST:PORT, got "${value}"`)
  }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return { host, port: url.port === '' ? AMQP_PORT : Number(url.port) }
}

function roles(values: ParsedOptions): readonly Role[] | undefined {
  const value = values['roles']
  if (typeof value !== 'string') return undefined
  return value.split(',').map(given => {
    const role = ROLES.find(name => name === given.trim())
    if (role !== undefined) return role
    throw new StartupError(2, `--roles: expected a list of ${ROLES.join(' and ')}, got "${value}"`)
  })
}

function logLevel(values: ParsedOptions): LogLevel | undefined {
  const value = values['log-level']
  if (typeof value !== 'string') return undefined
  const level = LOG_LEVELS.find(name => name === value)
  if (level === undefined) {
    throw new StartupError(2, `--log-level: expected one of ${LOG_LEVELS.join(', ')}, got "${value}"`)
  }
  return level
}
