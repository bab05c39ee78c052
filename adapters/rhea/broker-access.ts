// How the plugin reaches a broker of another process: where it is, and who the plugin is there.
// Rule: what an operator may set is said here, for every such broker; how long things take where he says nothing, too.

import type { ClientLogin } from './client-connection.js'
import { ConnectionPool } from './connection-pool.js'

export interface BrokerAccess {
  readonly host: string
  readonly port: number
  /** who the broker knows the plugin as */
  readonly service: { readonly name: string; readonly password: string }
  /** until a connection is open, ms */
  readonly connectTimeoutMs?: number | undefined
  /** logical connections that share a real one */
  readonly maxSessions?: number | undefined
}

const DEFAULTS = {
  connectTimeoutMs: 10_000,
  attachTimeoutMs: 10_000,
  idleTimeOutMs: 30_000,
  maxSessions: 64,
  idleMs: 10_000
} as const

/** Connections to the broker, of whomever it knows; none is opened yet. */
export function poolTo(access: BrokerAccess, containerId: string): ConnectionPool {
  const { host, port, connectTimeoutMs, maxSessions } = access
  return new ConnectionPool({
    ...DEFAULTS,
    host,
    port,
    connectTimeoutMs: connectTimeoutMs ?? DEFAULTS.connectTimeoutMs,
    maxSessions: maxSessions ?? DEFAULTS.maxSessions,
    containerId
  })
}

export const serviceLogin = ({ service }: BrokerAccess): ClientLogin => ({
  username: service.name,
  password: Buffer.from(service.password)
})
