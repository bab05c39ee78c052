// The embedded host as the contract suite meets it: a space in a directory of its own, with a clock that a case moves.
// Rule: a crash is what is on disk at that moment, opened by a new host; the old one goes on with files of its own.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedSpace } from '../../adapters/embedded/index.js'
import { bytesForDelivery, EncodedMessage } from '../../adapters/rhea/message.js'
import type { AddressSpace, AmqpConnection, Capabilities, Logger } from '../../plugin/host.js'
import { crashCopy } from '../fixtures/crash-copy.js'
import type { ContractFixture, ContractHost } from './fixture.js'

type ServiceUser = NonNullable<Parameters<typeof openEmbeddedSpace>[0]['service']>
type Space = Awaited<ReturnType<typeof openEmbeddedSpace>>

const CAPABILITIES: Capabilities = {
  relay: true,
  browse: true,
  detachError: true,
  threePhase: false,
  durableDedup: true,
  delay: false,
  noReceiver: false,
  nativeMqtt: false
}

const QUEUE = 'work'
const USERS = [
  { name: 'full', password: 'full secret', send: ['#'], receive: ['#'], clientIds: ['*'] },
  {
    name: 'limited',
    password: 'limited secret',
    send: ['allowed/#'],
    receive: ['allowed/#'],
    clientIds: ['limited-*']
  },
  { name: 'reader', password: 'reader secret', send: ['#'], receive: ['#'], clientIds: ['reader-*'] }
]

const silent = (): void => undefined
export const LOG: Logger = { debug: silent, info: silent, warn: silent, error: silent }

const user = (name: string) =>
  ({
    name,
    credentials: { mechanism: 'PLAIN', username: name, password: Buffer.from(`${name} secret`) }
  }) as const

export class EmbeddedFixture implements ContractFixture {
  readonly queue = QUEUE
  readonly patienceMs = 8000
  readonly users = { full: user('full'), limited: user('limited'), reader: user('reader') }
  readonly codec = {
    decode: (bytes: Uint8Array) => new EncodedMessage(bytes),
    encode: (message: EncodedMessage) =>
      bytesForDelivery(message, { deliveryCount: message.deliveryCount, ttlMs: message.ttlMs })
  }
  readonly #root: string
  readonly #spaces: Space[] = []
  #directory: string
  #offsetMs = 0

  readonly #anonymous: boolean

  readonly #service: ServiceUser | undefined

  private constructor(root: string, anonymous: boolean, service: ServiceUser | undefined) {
    this.#service = service
    this.#root = root
    this.#anonymous = anonymous
    this.#directory = join(root, 'data-0')
  }

  /** `service`: who the plugin may log in as from another process. */
  static async make(anonymous: boolean, service?: ServiceUser): Promise<EmbeddedFixture> {
    const fixture = new EmbeddedFixture(await mkdtemp(join(tmpdir(), 'contract-')), anonymous, service)
    await fixture.#open()
    return fixture
  }

  get space(): AddressSpace {
    return this.embedded
  }

  get embedded(): Space {
    const space = this.#spaces.at(-1)
    if (!space) throw new Error('the space is closed')
    return space
  }

  now(): number {
    return Date.now() + this.#offsetMs
  }

  async elapse(ms: number): Promise<void> {
    this.#offsetMs += ms
  }

  async restart(): Promise<AddressSpace> {
    await this.#spaces.at(-1)?.close()
    return this.#open()
  }

  async crash(): Promise<AddressSpace> {
    const copy = join(this.#root, `data-${this.#spaces.length}`)
    crashCopy(this.#directory, copy)
    this.#directory = copy
    return this.#open()
  }

  async lose(connection: AmqpConnection): Promise<void> {
    if (!('lose' in connection) || typeof connection.lose !== 'function') {
      throw new TypeError('a connection of the embedded host can be lost')
    }
    connection.lose()
  }

  async close(): Promise<void> {
    for (const space of this.#spaces) await space.close()
    await rm(this.#root, { recursive: true, force: true })
  }

  async #open(): Promise<AddressSpace> {
    const space = await openEmbeddedSpace({
      name: 'contract',
      directory: this.#directory,
      anonymous: this.#anonymous,
      service: this.#service,
      users: USERS,
      addresses: [{ name: QUEUE, type: 'queue' }],
      mqtt: {},
      log: LOG,
      now: () => this.now()
    })
    this.#spaces.push(space)
    return space
  }
}

export const embedded: ContractHost = {
  name: 'embedded',
  capabilities: CAPABILITIES,
  offers: ['crash', 'codec'],
  anonymous: true,
  make: () => EmbeddedFixture.make(true)
}

export const embeddedWithoutAnonymous: ContractHost = {
  ...embedded,
  name: 'embedded, names required',
  anonymous: false,
  make: () => EmbeddedFixture.make(false)
}
