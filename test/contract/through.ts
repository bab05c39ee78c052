// A wrapper around a working address space that passes everything through, but for what a mutation changes on the way.
// Rule: with an empty mutation nobody can tell the wrapper from the host.

import { AmqpError } from '../../plugin/errors.js'
import type {
  AddressSpace,
  AmqpConnection,
  Delivery,
  KeyedStore,
  Message,
  Principal,
  Queues,
  Receiver,
  ReceiverOptions,
  Routes,
  Sender,
  SenderOptions,
  ServedLink,
  ServedReader,
  Source,
  SourceOptions
} from '../../plugin/host.js'
import type { ContractFixture, ContractHost } from './fixture.js'

/** Where a delivery goes: what the receiver, the source or the server named. */
export interface Target {
  readonly kind: 'receiver' | 'source' | 'served'
  readonly address: string | undefined
}

/** One way to be broken; made anew for each fixture, so that it may keep state. Each part gets the working thing. */
export interface Mutation {
  space?(inner: AddressSpace): AddressSpace
  queues?(inner: Queues): Queues
  routes?(inner: Routes): Routes
  store?(inner: KeyedStore): KeyedStore
  source?(inner: Source, options: SourceOptions): Source
  connection?(inner: AmqpConnection, as: Principal | 'service'): AmqpConnection
  sender?(inner: Sender, options: SenderOptions): Sender
  receiverOptions?(options: ReceiverOptions): ReceiverOptions
  receiver?(inner: Receiver, options: ReceiverOptions): Receiver
  served?(inner: ServedLink): ServedLink
  reader?(inner: ServedReader): ServedReader
  /** in place of the call to the one who waits for deliveries */
  deliver?(delivery: Delivery, pass: (delivery: Delivery) => void, target: Target): void
  /** before a connection is lost */
  losing?(): void
  restarted?(space: AddressSpace): Promise<void>
  /** the host's clock stands still */
  readonly timeless?: boolean
}

/** The working host under a mutation, for mutations that do more than pass on. */
export interface World {
  readonly fixture: ContractFixture
  /** Sends a message to an address as the plugin itself; nothing happens when the case is over. */
  send(address: string, message: Message): Promise<void>
}

export type Mutate = (world: World) => Mutation

/** `host`, but for what `mutate` changes; a case waits `patienceMs` at most. */
export function through(host: ContractHost, mutate: Mutate, patienceMs?: number): ContractHost {
  return {
    ...host,
    make: async () => {
      const fixture = await host.make()
      return new ThroughFixture(fixture, mutate(new SendingWorld(fixture)), patienceMs ?? fixture.patienceMs)
    }
  }
}

class SendingWorld implements World {
  readonly fixture: ContractFixture

  constructor(fixture: ContractFixture) {
    this.fixture = fixture
  }

  async send(address: string, message: Message): Promise<void> {
    try {
      const connection = await this.fixture.space.connect('service')
      const sender = await connection.openSender({ address })
      await new Promise<void>(resolve => sender.send(message, () => resolve()))
      await connection.close()
    } catch (error) {
      if (!(error instanceof AmqpError)) throw error
    }
  }
}

class ThroughFixture implements ContractFixture {
  readonly patienceMs: number
  readonly crash?: () => Promise<AddressSpace>
  readonly #inner: ContractFixture
  readonly #mutation: Mutation
  readonly #connections = new WeakMap<AmqpConnection, AmqpConnection>()
  #space: AddressSpace

  constructor(inner: ContractFixture, mutation: Mutation, patienceMs: number) {
    this.#inner = inner
    this.#mutation = mutation
    this.patienceMs = patienceMs
    this.#space = this.#wrap(inner.space)
    if (inner.crash) this.crash = () => this.#started(inner.crash?.())
  }

  get space(): AddressSpace {
    return this.#space
  }
  get users(): ContractFixture['users'] {
    return this.#inner.users
  }
  get queue(): string {
    return this.#inner.queue
  }
  get codec(): ContractFixture['codec'] {
    return this.#inner.codec
  }
  now(): number {
    return this.#inner.now()
  }
  async elapse(ms: number): Promise<void> {
    if (this.#mutation.timeless !== true) await this.#inner.elapse(ms)
  }
  restart(): Promise<AddressSpace> {
    return this.#started(this.#inner.restart())
  }
  async lose(connection: AmqpConnection): Promise<void> {
    this.#mutation.losing?.()
    await this.#inner.lose(this.#connections.get(connection) ?? connection)
  }
  close(): Promise<void> {
    return this.#inner.close()
  }

  async #started(starting: Promise<AddressSpace> | undefined): Promise<AddressSpace> {
    await starting
    await this.#mutation.restarted?.(this.#inner.space)
    this.#space = this.#wrap(this.#inner.space)
    return this.#space
  }

  #wrap(inner: AddressSpace): AddressSpace {
    const mutation = this.#mutation
    const space = throughSpace(inner, mutation, (connection, working) =>
      this.#connections.set(connection, working)
    )
    return mutation.space?.(space) ?? space
  }
}

function throughSpace(
  inner: AddressSpace,
  mutation: Mutation,
  opened: (connection: AmqpConnection, working: AmqpConnection) => void
): AddressSpace {
  const { name, type, mqtt, capabilities, addresses } = inner
  return {
    name,
    type,
    mqtt,
    capabilities,
    addresses,
    authenticate: credentials => inner.authenticate(credentials),
    connect: async as => {
      const working = await inner.connect(as)
      const connection = throughConnection(working, mutation)
      const mutant = mutation.connection?.(connection, as) ?? connection
      opened(mutant, working)
      return mutant
    },
    serve: (address, onLink) => inner.serve(address, link => onLink(throughServed(link, mutation))),
    serveReaders: (prefix, onReader) =>
      inner.serveReaders(prefix, reader => onReader(mutation.reader?.(reader) ?? reader)),
    source: async (filter, options) => {
      const onDelivery = delivering(options.onDelivery, { kind: 'source', address: filter }, mutation)
      const source = await inner.source(filter, { ...options, onDelivery })
      return mutation.source?.(source, options) ?? { close: () => source.close() }
    },
    queues: mutation.queues?.(inner.queues) ?? inner.queues,
    routes: mutation.routes?.(inner.routes) ?? inner.routes,
    store: async storeName => {
      const store = await inner.store(storeName)
      return mutation.store?.(store) ?? throughStore(store)
    }
  }
}

export const throughStore = (inner: KeyedStore): KeyedStore => ({
  put: (key, value) => inner.put(key, value),
  get: key => inner.get(key),
  delete: key => inner.delete(key),
  entries: (prefix, after) => inner.entries(prefix, after)
})

export const throughRoutes = (inner: Routes): Routes => ({
  add: route => inner.add(route),
  remove: route => inner.remove(route),
  list: queue => inner.list(queue)
})

export const throughQueues = (inner: Queues): Queues => ({
  create: name => inner.create(name),
  delete: name => inner.delete(name),
  closeConsumers: name => inner.closeConsumers(name),
  list: prefix => inner.list(prefix),
  unattended: prefix => inner.unattended(prefix),
  limit: (prefix, limits) => inner.limit(prefix, limits),
  dropped: prefix => inner.dropped(prefix)
})

function throughConnection(inner: AmqpConnection, mutation: Mutation): AmqpConnection {
  return {
    openSender: async options => {
      const sender = throughSender(await inner.openSender(options))
      return mutation.sender?.(sender, options) ?? sender
    },
    openReceiver: async asked => {
      const options = mutation.receiverOptions?.(asked) ?? asked
      const target = { kind: 'receiver', address: options.address } as const
      const onDelivery = delivering(options.onDelivery, target, mutation)
      const receiver = throughReceiver(await inner.openReceiver({ ...options, onDelivery }))
      return mutation.receiver?.(receiver, asked) ?? receiver
    },
    close: () => inner.close()
  }
}

const throughSender = (inner: Sender): Sender =>
  throughSending(inner, (message, onOutcome, options) => inner.send(message, onOutcome, options))

/** The sender with another way to send. */
export const throughSending = (inner: Sender, send: Sender['send']): Sender => ({
  name: inner.name,
  get credit() {
    return inner.credit
  },
  send,
  close: error => inner.close(error)
})

const throughReceiver = (inner: Receiver): Receiver => ({
  name: inner.name,
  address: inner.address,
  addCredit: credit => inner.addCredit(credit),
  drain: () => inner.drain(),
  close: error => inner.close(error)
})

function throughServed(inner: ServedLink, mutation: Mutation): ServedLink {
  const { name, address, user } = inner
  const link: ServedLink = {
    name,
    address,
    user,
    accept: handlers => {
      const onDelivery = delivering(handlers.onDelivery, { kind: 'served', address }, mutation)
      inner.accept({ ...handlers, onDelivery })
    },
    close: error => inner.close(error)
  }
  return mutation.served?.(link) ?? link
}

function delivering(
  pass: (delivery: Delivery) => void,
  target: Target,
  mutation: Mutation
): (delivery: Delivery) => void {
  return delivery => {
    const { message, id, deliveryCount } = delivery
    const passed: Delivery = { message, id, deliveryCount, settle: outcome => delivery.settle(outcome) }
    if (mutation.deliver) mutation.deliver(passed, pass, target)
    else pass(passed)
  }
}
