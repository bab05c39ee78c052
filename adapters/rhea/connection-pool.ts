// AMQP connections to one host, shared by the logical connections of each identity.
// Rule: no real connection carries more sessions than allowed, since rhea walks all of them with each event, and none carries those of two
// identities; one without sessions is closed after a while.

import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import { ClientConnection, type ClientLogin, type ClientOptions } from './client-connection.js'
import type { ClientSession } from './client-session.js'

export interface PoolOptions extends ClientOptions {
  /** of one real connection */
  readonly maxSessions: number
  /** how long a connection without sessions stays, ms */
  readonly idleMs: number
}

interface Pooled {
  readonly opening: Promise<ClientConnection>
  connection: ClientConnection | undefined
  /** sessions that were promised, and are not open yet */
  reserved: number
  timer: NodeJS.Timeout | undefined
}

export class ConnectionPool {
  readonly #options: PoolOptions
  readonly #pools = new Map<string, Set<Pooled>>()
  #closed = false

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** A logical connection. `readDelivery`: as in ClientOptions. Rejects with AmqpError. */
  async connect(login: ClientLogin, readDelivery?: ClientOptions['readDelivery']): Promise<ClientSession> {
    if (this.#closed) throw new AmqpError(CONDITIONS.connectionForced, 'the host is closed')
    const pooled = this.#pick(login, readDelivery)
    pooled.reserved++
    clearTimeout(pooled.timer)
    try {
      const connection = await pooled.opening
      const session = connection.openSession()
      void session.ended.then(() => this.#left(pooled))
      return session
    } finally {
      pooled.reserved--
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const all = [...this.#pools.values()].flatMap(pool => [...pool])
    for (const { timer } of all) clearTimeout(timer)
    await Promise.all(all.map(async ({ opening }) => (await opening.catch(() => undefined))?.close()))
  }

  #pick(login: ClientLogin, readDelivery: ClientOptions['readDelivery']): Pooled {
    const key = JSON.stringify([
      login.username,
      login.password && Buffer.from(login.password).toString('hex')
    ])
    let pool = this.#pools.get(key)
    if (pool === undefined) this.#pools.set(key, (pool = new Set()))
    for (const pooled of pool) {
      const { connection, reserved } = pooled
      if (connection?.usable === false) continue
      if ((connection?.sessionCount ?? 0) + reserved < this.#options.maxSessions) return pooled
    }
    return this.#open(key, pool, login, readDelivery)
  }

  #open(
    key: string,
    pool: Set<Pooled>,
    login: ClientLogin,
    readDelivery: ClientOptions['readDelivery']
  ): Pooled {
    const onGone = (): void => {
      clearTimeout(pooled.timer)
      pool.delete(pooled)
      if (pool.size === 0 && this.#pools.get(key) === pool) this.#pools.delete(key)
    }
    const opening = ClientConnection.open(login, { ...this.#options, readDelivery }, onGone)
    const pooled: Pooled = { opening, connection: undefined, reserved: 0, timer: undefined }
    pool.add(pooled)
    opening.then(
      connection => (pooled.connection = connection),
      () => onGone()
    )
    return pooled
  }

  #left(pooled: Pooled): void {
    const { connection, reserved } = pooled
    if (connection?.usable !== true || connection.sessionCount + reserved > 0 || this.#closed) return
    pooled.timer = setTimeout(() => void connection.close(), this.#options.idleMs)
    pooled.timer.unref()
  }
}
