// A host with the plugin's listener beside it as the contract suite meets it: its space behind served spaces, as two processes would
// have them.
// Rule: what is served is served by one of them, and what connects, connects to the other: in its process, or as an AMQP client of its
// listener. A connection is lost by cutting its socket, and has been lost when the listener knows.

import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { ConnectionPool } from '../../adapters/rhea/connection-pool.js'
import type { AmqpListener } from '../../adapters/rhea/listener/listener.js'
import { ServedSpace } from '../../adapters/rhea/serving/served-space.js'
import type { AddressSpace, AmqpConnection, Credentials, Principal } from '../../plugin/host.js'
import { embedded, LOG } from './embedded.js'
import type { ContractFixture, ContractHost } from './fixture.js'

/** `one`: all in one process. `two`: served by another. `listener`: served by another, and users come over the listener. */
type Layout = 'one' | 'two' | 'listener'

const NAMES: Readonly<Record<Layout, string>> = {
  one: 'served here',
  two: 'served by another process',
  listener: 'users over the listener'
}

class ServedFixture implements ContractFixture {
  readonly #owner: ContractFixture
  readonly #layout: Layout
  readonly #listeners = new Map<ServedSpace, AmqpListener>()
  readonly #pools: ConnectionPool[] = []
  #space: AddressSpace | undefined

  private constructor(owner: ContractFixture, layout: Layout) {
    this.#owner = owner
    this.#layout = layout
  }

  static async make(owner: ContractFixture, layout: Layout): Promise<ServedFixture> {
    const fixture = new ServedFixture(owner, layout)
    await fixture.#open()
    return fixture
  }

  get patienceMs(): number {
    return this.#owner.patienceMs
  }
  get codec(): ContractFixture['codec'] {
    return this.#owner.codec
  }

  get space(): AddressSpace {
    if (!this.#space) throw new Error('the space is closed')
    return this.#space
  }
  get users(): ContractFixture['users'] {
    return this.#owner.users
  }
  get queue(): string {
    return this.#owner.queue
  }
  now(): number {
    return this.#owner.now()
  }
  elapse(ms: number): Promise<void> {
    return this.#owner.elapse(ms)
  }

  async restart(): Promise<AddressSpace> {
    await this.#closeSpaces()
    await this.#owner.restart()
    return this.#open()
  }

  async crash(): Promise<AddressSpace> {
    assert.ok(this.#owner.crash)
    await this.#owner.crash()
    return this.#open()
  }

  async lose(connection: AmqpConnection): Promise<void> {
    if (!('lose' in connection) || typeof connection.lose !== 'function') {
      throw new TypeError('a connection of this host can be lost')
    }
    const connections = (): number =>
      [...this.#listeners.values()].reduce((sum, listener) => sum + listener.connections, 0)
    const before = connections()
    const overListener = !('abandon' in connection)
    await connection.lose()
    while (overListener && connections() >= before) await setImmediate()
  }

  async close(): Promise<void> {
    await this.#closeSpaces()
    await this.#owner.close()
  }

  async #closeSpaces(): Promise<void> {
    for (const pool of this.#pools.splice(0)) await pool.close()
    for (const listener of this.#listeners.values()) await listener.close()
    this.#listeners.clear()
  }

  async #open(): Promise<AddressSpace> {
    const server = await this.#openOne()
    this.#space = this.#layout === 'one' ? server : this.#joined(server, await this.#openOne())
    return this.#space
  }

  async #openOne(): Promise<ServedSpace> {
    const space = new ServedSpace(this.#owner.space)
    this.#listeners.set(space, await space.listen({ host: '127.0.0.1', port: 0, log: LOG }))
    return space
  }

  #joined(server: ServedSpace, client: ServedSpace): AddressSpace {
    const logins = new WeakMap<Principal, Credentials>()
    const authenticate = async (credentials: Credentials) => {
      const answer = await client.authenticate(credentials)
      if ('principal' in answer) logins.set(answer.principal, credentials)
      return answer
    }
    const { name, type, mqtt, capabilities, addresses, queues, routes } = client
    return {
      ...{ name, type, mqtt, capabilities, addresses, queues, routes, authenticate },
      connect: async as => {
        if (as === 'service' || this.#layout === 'two') return client.connect(as)
        const credentials = logins.get(as)
        if (credentials === undefined) return client.connect(as)
        return this.#dial(client, credentials)
      },
      serve: (address, onLink, onLost) => server.serve(address, onLink, onLost),
      serveReaders: (prefix, onReader, onLost) => server.serveReaders(prefix, onReader, onLost),
      source: (filter, options) => client.source(filter, options),
      store: store => client.store(store)
    }
  }

  #dial(space: ServedSpace, credentials: Credentials): Promise<AmqpConnection> {
    const listener = this.#listeners.get(space)
    if (!listener) throw new Error('the listener is closed')
    const pool = new ConnectionPool({
      ...{ host: listener.host, port: listener.port, containerId: 'a client', maxSessions: 1 },
      ...{ connectTimeoutMs: 5000, attachTimeoutMs: 8000, idleTimeOutMs: 30_000, idleMs: 1 }
    })
    this.#pools.push(pool)
    return pool.connect(credentials.mechanism === 'PLAIN' ? credentials : {})
  }
}

/** `host`, and beside it the listener. */
export const beside = (host: ContractHost, layout: Layout): ContractHost => ({
  ...host,
  name: `${host.name}, ${NAMES[layout]}`,
  make: async () => ServedFixture.make(await host.make(), layout)
})

export const servedHere = beside(embedded, 'one')
export const servedElsewhere = beside(embedded, 'two')
export const servedToClients = beside(embedded, 'listener')
