// What the machine or the configuration can do to a start, said in one line each.
// Rule: the line names what is in the way (port, directory, path) and what would do; an error that is not expected is passed on.

import { AmqpError } from '../../plugin/errors.js'
import type { ConfigError, SpaceStatus } from '../../plugin/host.js'
import { StoreError } from '../embedded/index.js'
import { describeErrors, type HttpConfiguration, type SpaceConfiguration } from './configuration.js'
import { StartupError } from './startup-error.js'

const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use; expected a free one',
  EACCES: 'no permission; expected a port above 1023',
  EADDRNOTAVAIL: 'no such address here',
  ENOTFOUND: 'no such address here'
}

const DIRECTORY_FAULTS: Readonly<Record<string, string>> = {
  EACCES: 'no right to write here',
  EPERM: 'no right to write here',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'part of the path is a file',
  EEXIST: 'there is a file of this name',
  ENOENT: 'the path cannot be made',
  ENOSPC: 'the disk is full'
}

/** The AMQP listener of `space` could not be opened. */
export function listenFailure(space: SpaceConfiguration, error: unknown): unknown {
  const fault = LISTEN_FAULTS[codeOf(error)]
  if (fault === undefined) return error
  const { host, port } = space.amqp
  return new StartupError(
    1,
    `space ${space.name}: the AMQP listener cannot listen on ${host}:${port}: ${fault}`
  )
}

/** The HTTP listener could not be opened. */
export function httpFailure({ host, port }: HttpConfiguration, error: unknown): unknown {
  const fault = LISTEN_FAULTS[codeOf(error)]
  if (fault === undefined) return error
  return new StartupError(1, `the HTTP listener cannot listen on ${host}:${port}: ${fault}`)
}

/** A broker that is not in this process does not let us in. `option` says where it is. */
export function brokerFailure(
  { host, port }: { readonly host: string; readonly port: number },
  option: string,
  error: unknown
): unknown {
  if (!(error instanceof AmqpError)) return error
  return new StartupError(1, `${option}: the broker at ${host}:${port} cannot be used: ${error.message}`)
}

/** The data directory of a space could not be opened. */
export function storageFailure(directory: string, error: unknown): unknown {
  if (error instanceof StoreError) return new StartupError(1, error.message)
  const fault = DIRECTORY_FAULTS[codeOf(error)]
  if (fault === undefined) return error
  return new StartupError(1, `data directory ${directory}: ${fault}; expected a directory to write to`)
}

/** The plugin did not start in the space; `pointer` is where the space's `mqtt` is in `source`. */
export function pluginFailure(
  space: string,
  status: SpaceStatus | undefined,
  source: string,
  pointer: string
): StartupError {
  if (status?.state !== 'failed') {
    return new StartupError(1, `space ${space}: MQTT did not start: the plugin reported no listener`)
  }
  if (status.errors.length > 0)
    return new StartupError(2, describeErrors(source, withPointer(pointer, status.errors)))
  return new StartupError(1, `space ${space}: ${status.reason}`)
}

const withPointer = (pointer: string, errors: readonly ConfigError[]): ConfigError[] =>
  errors.map(({ path, message }) => ({ path: `${pointer}${path}`, message }))

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
