// The broker of another process as the contract suite meets it: an embedded space with its AMQP port, and a space that uses it over TCP.
// Rule: the suite sees the remote space alone. A connection is lost by cutting its socket, and has been lost when the broker knows.

import { listenAmqp, type AmqpListener } from '../../adapters/rhea/listener/listener.js'
import type { CoreConnection, CoreSpace } from '../../adapters/rhea/listener/bridge.js'
import { openRemoteSpace, type RemoteSpace } from '../../adapters/remote/index.js'
import type { AddressSpace, AmqpConnection } from '../../plugin/host.js'
import { EmbeddedFixture, embedded, LOG } from './embedded.js'
import type { ContractFixture, ContractHost } from './fixture.js'
import { Signal } from './signal.js'

const SERVICE = { name: 'plugin', password: 'plugin secret' }

class RemoteFixture implements ContractFixture {
  readonly patienceMs = 8000
  readonly codec: ContractFixture['codec']
  readonly #owner: EmbeddedFixture
  readonly #maxSessions: number
  readonly #signal = new Signal(8000)
  #lost = 0
  readonly #listeners: AmqpListener[] = []
  readonly #spaces: RemoteSpace[] = []

  private constructor(owner: EmbeddedFixture, maxSessions: number) {
    this.#owner = owner
    this.#maxSessions = maxSessions
    this.codec = owner.codec
  }

  static async make(anonymous: boolean, maxSessions: number): Promise<RemoteFixture> {
    const fixture = new RemoteFixture(await EmbeddedFixture.make(anonymous, SERVICE), maxSessions)
    await fixture.#open()
    return fixture
  }

  get space(): AddressSpace {
    const space = this.#spaces.at(-1)
    if (!space) throw new Error('the space is closed')
    return space
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
    await this.#listeners.pop()?.close()
    await this.#owner.restart()
    return this.#open()
  }

  async crash(): Promise<AddressSpace> {
    await this.#owner.crash()
    return this.#open()
  }

  async lose(connection: AmqpConnection): Promise<void> {
    if (!('lose' in connection) || typeof connection.lose !== 'function') {
      throw new TypeError('a connection to the broker can be lost')
    }
    const known = this.#lost
    connection.lose()
    await this.#signal.until(
      () => (this.#lost > known ? this.#lost : undefined),
      () => 'the broker to notice that a connection is lost'
    )
  }

  async close(): Promise<void> {
    for (const space of this.#spaces) await space.close()
    for (const listener of this.#listeners) await listener.close()
    await this.#owner.close()
  }

  async #open(): Promise<AddressSpace> {
    const space = this.#watched(this.#owner.embedded)
    const listener = await listenAmqp(space, { host: '127.0.0.1', port: 0, log: LOG })
    this.#listeners.push(listener)
    const { host, port } = listener
    const maxSessions = this.#maxSessions
    const options = { host, port, service: SERVICE, mqtt: {}, log: LOG, maxSessions }
    this.#spaces.push(await openRemoteSpace(options))
    return this.space
  }

  /** The space, but one can see when it has lost a connection. */
  #watched(space: CoreSpace): CoreSpace {
    const watch = (connection: CoreConnection): CoreConnection => ({
      openSender: options => connection.openSender(options),
      openReceiver: options => connection.openReceiver(options),
      close: () => connection.close(),
      lose: () => {
        connection.lose()
        this.#lost++
        this.#signal.notify()
      }
    })
    const { name, capabilities, service } = space
    return {
      name,
      capabilities,
      authenticate: credentials => space.authenticate(credentials),
      connect: async as => watch(await space.connect(as)),
      service: service && {
        knows: credentials => service.knows(credentials),
        tagOf: service.tagOf,
        connect: async () => watch(await service.connect())
      }
    }
  }
}

/** Each logical connection on a real one of its own, so that one can be lost without the others. */
export const remote: ContractHost = {
  ...embedded,
  name: 'remote',
  make: () => RemoteFixture.make(true, 1)
}

export const remoteWithoutAnonymous: ContractHost = {
  ...remote,
  name: 'remote, names required',
  anonymous: false,
  make: () => RemoteFixture.make(false, 1)
}

/** Logical connections share real ones. */
export const remotePooled: ContractHost = {
  ...remote,
  name: 'remote, shared connections',
  make: () => RemoteFixture.make(true, 64)
}
