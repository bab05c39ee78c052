// Addresses that another process serves, which shares the broker with this one: its listener takes our links.
// Rule: who serves is read from the broker each time, and the process that is asked knows best whether it still does.

import { AmqpError, CONDITIONS } from '../../../plugin/errors.js'
import type { AddressSpace, Credentials, Logger } from '../../../plugin/host.js'
import type { ClientLogin } from '../client-connection.js'
import type { ClientSession } from '../client-session.js'
import { ConnectionPool } from '../connection-pool.js'
import { whoIsAt } from './place.js'
import { isReadersPlaceFor, placeOf, READERS_PLACES, SERVICE_LOGIN, type Whereabouts } from './protocol.js'

/** Who a link is opened for. */
export type Login = Credentials | 'service'

export interface ElsewhereOptions {
  readonly space: Pick<AddressSpace, 'connect' | 'queues'>
  readonly containerId: string
  /** of this process: a server there is found without a connection */
  readonly ownKey: string
  readonly log: Logger
}

const POOL = {
  connectTimeoutMs: 5000,
  attachTimeoutMs: 10_000,
  idleTimeOutMs: 30_000,
  maxSessions: 64,
  idleMs: 10_000
} as const

export class Elsewhere {
  readonly #options: ElsewhereOptions
  readonly #pools = new Map<string, ConnectionPool>()
  /** listeners that an operator was told of */
  readonly #silent = new Set<string>()

  constructor(options: ElsewhereOptions) {
    this.#options = options
  }

  /** Where an address that is sent to is served, the likeliest first. */
  async servers(address: string): Promise<readonly Whereabouts[]> {
    return this.#others(await whoIsAt(this.#options.space, placeOf(address)))
  }

  /** The same for an address that is received from. */
  async serversOfReaders(address: string): Promise<readonly Whereabouts[]> {
    const { space } = this.#options
    const places = await space.queues.list(READERS_PLACES)
    const found = places.filter(place => isReadersPlaceFor(place, address))
    const servers = await Promise.all(found.map(place => whoIsAt(space, place)))
    return this.#others(servers.flat())
  }

  /** A logical connection to another process. Rejects with AmqpError. */
  async connect(whereabouts: Whereabouts, login: Login): Promise<ClientSession> {
    const { host, port, key } = whereabouts
    const name = nameOf(whereabouts)
    let pool = this.#pools.get(name)
    if (pool === undefined) {
      const { containerId } = this.#options
      this.#pools.set(name, (pool = new ConnectionPool({ ...POOL, host, port, containerId })))
    }
    try {
      const session = await pool.connect(loginOf(login, key))
      this.#silent.delete(name)
      return session
    } catch (error) {
      this.#tell(whereabouts, error)
      throw error
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map(pool => pool.close()))
    this.#pools.clear()
  }

  #others(servers: readonly Whereabouts[]): readonly Whereabouts[] {
    return servers.filter(({ key }) => key !== this.#options.ownKey)
  }

  #tell(whereabouts: Whereabouts, error: unknown): void {
    const { host, port } = whereabouts
    const name = nameOf(whereabouts)
    // a user who may not log in there is no fault of the listener
    const refused = error instanceof AmqpError && error.condition === CONDITIONS.unauthorized
    if (refused || this.#silent.has(name)) return
    this.#silent.add(name)
    this.#options.log.warn({ host, port, err: error }, 'the process that serves an address cannot be reached')
  }
}

const nameOf = ({ host, port }: Whereabouts): string => `${host}:${port}`

function loginOf(login: Login, key: string): ClientLogin {
  if (login === 'service') return { username: SERVICE_LOGIN, password: Buffer.from(key) }
  if (login.mechanism === 'ANONYMOUS') return {}
  const { username, password } = login
  return { username, password }
}
