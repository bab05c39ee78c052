// ActiveMQ Artemis as the contract suite meets it: one broker for all cases, emptied after each.
// Rule: the suite sees the space alone; what a case left on the broker is gone before the next. A connection is lost by cutting its
// sockets, and has been lost when the broker knows.

import { setTimeout as sleep } from 'node:timers/promises'
import { openArtemisSpace, type ArtemisSpace } from '../../adapters/artemis/index.js'
import { bytesForDelivery, EncodedMessage } from '../../adapters/rhea/message.js'
import type { AddressSpace, AmqpConnection, Capabilities } from '../../plugin/host.js'
import { ArtemisAdmin } from '../fixtures/artemis-admin.js'
import { SERVICE, type ArtemisBroker } from '../fixtures/artemis.js'
import { LOG } from './embedded.js'
import type { ContractFixture, ContractHost } from './fixture.js'

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

/** A queue of the host's own. */
export const QUEUE = 'work'

const user = (name: string) =>
  ({
    name,
    credentials: { mechanism: 'PLAIN', username: name, password: Buffer.from(`${name} secret`) }
  }) as const

class ArtemisFixture implements ContractFixture {
  readonly queue = QUEUE
  readonly patienceMs = 10_000
  readonly users = { full: user('full'), limited: user('limited'), reader: user('reader') }
  readonly codec = {
    decode: (bytes: Uint8Array) => new EncodedMessage(bytes),
    encode: (message: EncodedMessage) =>
      bytesForDelivery(message, { deliveryCount: message.deliveryCount, ttlMs: message.ttlMs })
  }
  readonly #broker: ArtemisBroker
  readonly #spaces: ArtemisSpace[] = []

  private constructor(broker: ArtemisBroker) {
    this.#broker = broker
  }

  static async make(broker: ArtemisBroker): Promise<ArtemisFixture> {
    const fixture = new ArtemisFixture(broker)
    if (!broker.running) await broker.open() // a case failed while it restarted
    await fixture.#open()
    return fixture
  }

  get space(): AddressSpace {
    const space = this.#spaces.at(-1)
    if (!space) throw new Error('the space is closed')
    return space
  }

  now(): number {
    return Date.now()
  }

  /** The broker's clock is the machine's. */
  async elapse(ms: number): Promise<void> {
    await sleep(ms)
  }

  async restart(): Promise<AddressSpace> {
    await this.#broker.stop()
    await this.#broker.open()
    return this.#open()
  }

  async crash(): Promise<AddressSpace> {
    await this.#broker.kill()
    await this.#broker.open()
    return this.#open()
  }

  async lose(connection: AmqpConnection): Promise<void> {
    if (!('lose' in connection) || typeof connection.lose !== 'function') {
      throw new TypeError('a connection of this host can be lost')
    }
    const admin = await ArtemisAdmin.open(this.#broker)
    try {
      const before = await admin.connections()
      await connection.lose()
      await admin.until(async () => (await admin.connections()) < before)
    } finally {
      await admin.close()
    }
  }

  async close(): Promise<void> {
    for (const space of this.#spaces) await space.close()
    const admin = await ArtemisAdmin.open(this.#broker)
    try {
      await admin.empty([QUEUE])
    } finally {
      await admin.close()
    }
  }

  async #open(): Promise<AddressSpace> {
    const { host, port } = this.#broker
    for (const space of this.#spaces.splice(0)) await space.close()
    const space = await openArtemisSpace({
      name: 'contract',
      host,
      port,
      service: SERVICE,
      clientIds: { limited: ['limited-*'], reader: ['reader-*'] },
      addresses: [{ name: QUEUE, type: 'queue' }],
      mqtt: {},
      log: LOG,
      maxSessions: 1
    })
    this.#spaces.push(space)
    return space
  }
}

export const artemis = (broker: () => ArtemisBroker): ContractHost => ({
  name: 'ActiveMQ Artemis',
  capabilities: CAPABILITIES,
  offers: ['crash', 'codec'],
  anonymous: false,
  make: () => ArtemisFixture.make(broker())
})
