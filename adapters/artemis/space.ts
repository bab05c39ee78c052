// An address space on ActiveMQ Artemis: the port over AMQP links and the broker's management address.
// Rule: nothing is kept here but connections; what is durable is the broker's, under names that are read back (names.ts).

import { randomUUID } from 'node:crypto'
import type {
  Address,
  AddressSpace,
  AmqpConnection,
  Authentication,
  Capabilities,
  Closeable,
  Credentials,
  KeyedStore,
  Logger,
  Principal,
  Queues,
  Routes,
  ServedLink,
  ServedReader,
  Source,
  SourceOptions
} from '../../plugin/host.js'
import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import { poolTo, serviceLogin, type BrokerAccess } from '../rhea/broker-access.js'
import type { ClientSession } from '../rhea/client-session.js'
import type { ConnectionPool } from '../rhea/connection-pool.js'
import { ServedPlaces } from '../rhea/serving/served-places.js'
import { checkBroker } from './broker-check.js'
import { Broker } from './broker.js'
import { ArtemisConnection } from './connection.js'
import { ArtemisStore } from './keyed-store.js'
import { ManagementClient } from './management-client.js'
import { readersQueue, serveQueue } from './names.js'
import { OfferedLink, OfferedReader } from './offered-links.js'
import { PeerWatch } from './peer-watch.js'
import { Serving, type ServingOptions } from './serving.js'
import { ArtemisQueues } from './queues.js'
import { ArtemisRoutes } from './routes.js'
import { openSource, removeStaleSubscriptions, type SubscriptionParts } from './subscriptions.js'
import { ArtemisPrincipal, authenticate, type ClientIds } from './users.js'

export interface ArtemisSpaceOptions extends BrokerAccess {
  readonly name: string
  /** client ids that users may use; undefined: all of them all */
  readonly clientIds?: ClientIds | undefined
  /** what the broker has besides the plugin's */
  readonly addresses: readonly Address[]
  /** the plugin's configuration, as it is */
  readonly mqtt: unknown
  readonly log: Logger
}

/** between looks for what processes that died have left, ms */
const SWEEP_MS = 20_000
const MANAGEMENT_TIMEOUT_MS = 30_000

/** A route with more cannot be removed from the broker any more, or stops it. */
const MAX_TOPIC_LEVELS = 200

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

export class ArtemisSpace implements AddressSpace {
  readonly name: string
  readonly type = 'brokered'
  readonly mqtt: unknown
  readonly capabilities = CAPABILITIES
  readonly addresses: readonly Address[]
  readonly queues: Queues
  readonly routes: Routes
  readonly #options: ArtemisSpaceOptions
  readonly #pool: ConnectionPool
  readonly #management: ManagementClient
  readonly #broker: Broker
  readonly #queues: ArtemisQueues
  readonly #subscriptionParts: SubscriptionParts
  readonly #stores = new Map<string, Promise<ArtemisStore>>()
  readonly #served = new ServedPlaces()
  readonly #watch: PeerWatch
  #sweeping: NodeJS.Timeout | undefined
  #storesConnection: Promise<ClientSession> | undefined

  constructor(options: ArtemisSpaceOptions, pool: ConnectionPool, management: ManagementClient) {
    this.#options = options
    this.#pool = pool
    this.#management = management
    this.name = options.name
    this.mqtt = options.mqtt
    this.addresses = options.addresses
    const hostQueues = options.addresses.filter(isQueue).map(({ name }) => name)
    this.#broker = new Broker(management)
    this.#subscriptionParts = { broker: this.#broker, hostQueues, subscriptions: new Set() }
    this.#watch = new PeerWatch(this.#broker, () => this.#connectService())
    this.#queues = new ArtemisQueues(this.#broker)
    this.queues = this.#queues
    this.routes = new ArtemisRoutes(this.#broker, hostQueues)
  }

  /** Sets what the broker must know, and removes what processes that died have left, now and from time to time. */
  async prepare(): Promise<void> {
    await this.#queues.configure()
    await removeStaleSubscriptions(this.#broker)
    this.#sweeping ??= setInterval(() => {
      removeStaleSubscriptions(this.#broker).catch(() => undefined) // the broker is gone: it is told elsewhere
    }, SWEEP_MS).unref()
  }

  /** Rejects where the broker is not set up as it must be. */
  async check(): Promise<void> {
    await checkBroker(await this.#connectService(), this.#subscriptionParts)
  }

  /** The broker may be another one than before. */
  async backAgain(): Promise<void> {
    try {
      await this.prepare()
      await this.#queues.countAgain()
    } catch (error) {
      // gone once more: it is called again
      if (!(error instanceof AmqpError)) throw error
    }
  }

  authenticate(credentials: Credentials): Promise<Authentication> {
    return authenticate(this.#pool, credentials, this.#options.clientIds ?? {})
  }

  async connect(as: Principal | 'service'): Promise<AmqpConnection> {
    const user = as === 'service' ? undefined : as
    if (user !== undefined && !(user instanceof ArtemisPrincipal)) {
      throw new AmqpError(CONDITIONS.unauthorized, `${user.name} has not logged in here`)
    }
    const own = user === undefined ? await this.#connectService() : await this.#pool.connect(user.login)
    return new ArtemisConnection(user, own, {
      ...this.#subscriptionParts,
      queues: this.#queues,
      maxTopicLevels: MAX_TOPIC_LEVELS,
      watch: this.#watch,
      connectService: () => this.#connectService()
    })
  }

  serve(address: string, onLink: (link: ServedLink) => void, onLost?: () => void): Promise<Closeable> {
    const meet: ServingOptions['meet'] = offer => {
      const link = new OfferedLink(offer)
      onLink(link)
      return link
    }
    return this.#serve(serveQueue(address), meet, onLost)
  }

  serveReaders(
    prefix: string,
    onReader: (reader: ServedReader) => void,
    onLost?: () => void
  ): Promise<Closeable> {
    const meet: ServingOptions['meet'] = offer => {
      const reader = new OfferedReader(offer)
      onReader(reader)
      return reader
    }
    return this.#serve(readersQueue(prefix), meet, onLost)
  }

  #serve(queue: string, meet: ServingOptions['meet'], onLost: (() => void) | undefined): Promise<Closeable> {
    const connect = (): Promise<ClientSession> => this.#connectService()
    const parts = { broker: this.#broker, watch: this.#watch, queue, meet, connect }
    return this.#served.add(lost => Serving.open({ ...parts, onLost: lost }), onLost)
  }

  async source(filter: string, options: SourceOptions): Promise<Source> {
    return openSource(await this.#connectService(), filter, options, this.#subscriptionParts)
  }

  store(name: string): Promise<KeyedStore> {
    let store = this.#stores.get(name)
    if (store === undefined) {
      store = ArtemisStore.open(name, { broker: this.#broker, connection: () => this.#connectStores() })
      store.catch(() => this.#stores.delete(name))
      this.#stores.set(name, store)
    }
    return store
  }

  /** Ends what is served, and closes all connections. */
  async close(): Promise<void> {
    await this.#served.close()
    this.#watch.close()
    clearInterval(this.#sweeping)
    const { subscriptions } = this.#subscriptionParts
    await Promise.all([...subscriptions].map(subscription => subscription.stop().catch(() => undefined)))
    this.#management.close()
    await this.#pool.close()
  }

  #connectStores(): Promise<ClientSession> {
    if (this.#storesConnection === undefined) {
      const connecting = this.#connectService()
      const forget = (): void => {
        if (this.#storesConnection === connecting) this.#storesConnection = undefined
      }
      connecting.then(session => void session.ended.then(forget), forget)
      this.#storesConnection = connecting
    }
    return this.#storesConnection
  }

  #connectService(): Promise<ClientSession> {
    return this.#pool.connect(serviceLogin(this.#options))
  }
}

const isQueue = ({ type }: Address): boolean => type === 'queue' || type === 'anycast'

/** Rejects with AmqpError where the broker cannot be reached, or does not let the plugin do what it must. */
export async function openArtemisSpace(options: ArtemisSpaceOptions): Promise<ArtemisSpace> {
  const { host, port, log } = options
  const pool = poolTo(options, `mqtt-over-amqp-${randomUUID()}`)
  const management = new ManagementClient({
    connect: () => pool.connect(serviceLogin(options)),
    timeoutMs: MANAGEMENT_TIMEOUT_MS,
    onGone: ({ condition, description }) =>
      log.warn({ host, port, condition, description }, 'the broker is gone; it is tried again'),
    onBack: () => {
      log.info({ host, port }, 'the broker is there again')
      void space.backAgain()
    }
  })
  const space = new ArtemisSpace(options, pool, management)
  try {
    await space.prepare()
    await space.check()
    return space
  } catch (error) {
    await space.close()
    throw error
  }
}
