// An address space in this process: the parts of the broker put together, and the port on top.
// Rule: nothing is lost by close(); a space that cannot be opened leaves nothing open.

import { AmqpError } from '../../plugin/errors.js'
import type {
  Address,
  AddressSpace,
  Authentication,
  Capabilities,
  Closeable,
  Credentials,
  LinkError,
  Logger,
  Queues,
  Routes,
  ServedLink,
  ServedReader,
  Source,
  SourceOptions
} from '../../plugin/host.js'
import { Broker } from './broker.js'
import { EmbeddedConnection } from './connection.js'
import { DeliveryTurns } from './delivery-turns.js'
import { DurableQueues } from './durable-queues.js'
import { DurableRoutes } from './durable-routes.js'
import { EntryLog } from './entry-log.js'
import { KeyedValues } from './keyed-values.js'
import { openFailure } from './level.js'
import { Management } from './management.js'
import type { CoreService, Identity } from '../rhea/listener/bridge.js'
import { DEFAULT_LIMITS, type Limits } from './limits.js'
import { ServedElsewhere } from './served-elsewhere.js'
import { ServedReaders } from '../rhea/serving/served-readers.js'
import { ServedAddresses } from '../rhea/serving/served-addresses.js'
import { ServiceConnection } from './service-connection.js'
import { Store } from './store.js'
import { makeTag } from './management-protocol.js'
import type { Subscription } from './subscription.js'
import { TakenIds } from './taken-ids.js'
import { Topics } from './topics.js'
import { Users, type ServiceUser, type User } from './users.js'

export interface EmbeddedSpaceOptions {
  readonly name: string
  /** made where it is not there */
  readonly directory: string
  readonly users: readonly User[]
  /** clients without a user name get in */
  readonly anonymous: boolean
  /** who the plugin logs in as from another process; undefined: it cannot */
  readonly service?: ServiceUser | undefined
  readonly addresses: readonly Address[]
  /** the plugin's configuration, as it is */
  readonly mqtt: unknown
  readonly log: Logger
  /** ms since 1970 */
  readonly now?: (() => number) | undefined
  readonly limits?: Partial<Limits> | undefined
}

export interface Statistics {
  /** batches that were synced to disk */
  readonly syncs: number
  /** durable queues that there are */
  readonly queues: number
}

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

const CLOSED: LinkError = { condition: 'amqp:connection:forced', description: 'the address space was closed' }

export class EmbeddedSpace implements AddressSpace {
  readonly name: string
  readonly type = 'brokered'
  readonly mqtt: unknown
  readonly capabilities = CAPABILITIES
  readonly addresses: readonly Address[]
  readonly queues: Queues
  readonly routes: Routes
  readonly #store: Store
  readonly #queues: DurableQueues
  readonly #broker: Broker
  readonly #users: Users
  readonly #connections = new Set<EmbeddedConnection>()
  readonly #sources = new Map<Subscription, SourceOptions>()
  readonly #stores = new Map<string, KeyedValues>()
  readonly service: CoreService | undefined
  #closing: Promise<void> | undefined

  constructor(options: EmbeddedSpaceOptions, users: Users, broker: Broker, routes: Routes) {
    this.name = options.name
    this.mqtt = options.mqtt
    this.addresses = options.addresses
    this.#users = users
    this.#broker = broker
    this.#store = broker.options.store
    this.#queues = broker.options.queues
    this.queues = this.#queues
    this.routes = routes
    if (options.service !== undefined) this.service = this.#makeService()
  }

  get statistics(): Statistics {
    return { syncs: this.#store.syncs, queues: this.#queues.size }
  }

  async authenticate(credentials: Credentials): Promise<Authentication> {
    return this.#users.authenticate(credentials)
  }

  async connect(as: Identity): Promise<EmbeddedConnection> {
    this.#assertOpen()
    const connection = new EmbeddedConnection(this.#broker, as, closed => this.#connections.delete(closed))
    this.#connections.add(connection)
    return connection
  }

  async serve(address: string, onLink: (link: ServedLink) => void): Promise<Closeable> {
    this.#assertOpen()
    return this.#broker.options.served.serve(address, onLink)
  }

  async serveReaders(prefix: string, onReader: (reader: ServedReader) => void): Promise<Closeable> {
    this.#assertOpen()
    return this.#broker.options.readers.serve(prefix, onReader)
  }

  async source(filter: string, options: SourceOptions): Promise<Source> {
    this.#assertOpen()
    const { window, onDelivery, onClosed } = options
    const node = this.#broker.find(filter, 'topic')
    const onEnded = (error: LinkError): void => {
      this.#sources.delete(subscription)
      onClosed({ cause: 'error', error })
    }
    const consumer = { window, onDelivery, onEnded }
    const subscription: Subscription = this.#broker.subscribe(node.address, 'source', consumer)
    this.#sources.set(subscription, options)
    const close = async (): Promise<void> => {
      await subscription.finish()
      this.#sources.delete(subscription)
    }
    return { close }
  }

  async store(name: string): Promise<KeyedValues> {
    this.#assertOpen()
    let values = this.#stores.get(name)
    if (values === undefined) this.#stores.set(name, (values = new KeyedValues(this.#store, name)))
    return values
  }

  /** Commits what was taken, ends all links, closes the store. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    // outcomes of what was sent before come before the end of the links
    await this.#store.durable().catch(() => undefined)
    for (const connection of [...this.#connections]) connection.end(CLOSED)
    for (const [subscription, { onClosed }] of [...this.#sources]) {
      subscription.detach(false)
      onClosed({ cause: 'lost', error: CLOSED })
    }
    this.#sources.clear()
    await this.#queues.close()
    await this.#store.close()
  }

  #makeService(): CoreService {
    const broker = this.#broker
    const management = new Management(this)
    const parts = {
      broker,
      management,
      served: new ServedElsewhere(broker.options.served, broker.options.readers)
    }
    return {
      knows: credentials => this.#users.isService(credentials),
      tagOf: ({ message, deliveryCount, id }) => makeTag(deliveryCount - message.deliveryCount, id),
      connect: async () => new ServiceConnection(await this.connect('service'), parts)
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new AmqpError(CLOSED.condition, CLOSED.description)
  }
}

/** Opens the space with what its data directory has. Throws StoreError, or the operating system's error for the directory. */
export async function openEmbeddedSpace(options: EmbeddedSpaceOptions): Promise<EmbeddedSpace> {
  const { directory, addresses, log, now = Date.now } = options
  const users = new Users(options)
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const store = await Store.open(directory, log)
  try {
    const topics = new Topics(store, now)
    const entries = new EntryLog(store, log)
    const onDeleted: Parameters<typeof DurableQueues.load>[0]['onDeleted'] = queue => routes.forget(queue)
    const turns = new DeliveryTurns()
    const queues = await DurableQueues.load({ entries, limits, turns, now, log, onDeleted })
    const routes = await DurableRoutes.load(store, queues, topics)
    const queueNames = new Set(addresses.filter(isQueue).map(({ name }) => name))
    for (const name of queueNames) queues.ensure(name)
    await store.durable()
    const taken = await TakenIds.load(store, limits.duplicateIds)
    const [served, readers] = [new ServedAddresses(), new ServedReaders()]
    const parts = { store, queues, topics, taken, served, readers, queueNames, limits, turns, now, log }
    const broker = new Broker(parts)
    return new EmbeddedSpace(options, users, broker, routes)
  } catch (error) {
    await store.close()
    throw openFailure(directory, error)
  }
}

function isQueue({ type }: Address): boolean {
  return type === 'queue' || type === 'anycast'
}
