// An address space whose broker is in another process: the port over AMQP links and its `$management` node.
// Rule: nothing is kept here but connections; what the broker does not answer is not true.

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
import { CAPABILITY, readTag, type Description, type Rights } from '../embedded/management-protocol.js'
import { EmbeddedPrincipal } from '../embedded/users.js'
import { poolTo, serviceLogin, type BrokerAccess } from '../rhea/broker-access.js'
import type { ClientLogin } from '../rhea/client-connection.js'
import type { ClientSession } from '../rhea/client-session.js'
import type { ConnectionPool } from '../rhea/connection-pool.js'
import { ServedPlaces } from '../rhea/serving/served-places.js'
import { ForwardedLink } from './forwarded-link.js'
import { ForwardedReader } from './forwarded-reader.js'
import { ManagementClient } from './management-client.js'
import { RemoteServing, type ServingOptions } from './remote-serving.js'
import { openSource } from './remote-source.js'
import { remoteQueues, remoteRoutes, RemoteStore } from './remote-state.js'

export interface RemoteSpaceOptions extends BrokerAccess {
  /** undefined: as the broker says */
  readonly name?: string | undefined
  /** the plugin's configuration, as it is */
  readonly mqtt: unknown
  readonly log: Logger
}

type Answer = { readonly rights: Rights } | Exclude<Authentication, { readonly principal: Principal }>

export class RemoteSpace implements AddressSpace {
  readonly name: string
  readonly type: AddressSpace['type']
  readonly mqtt: unknown
  readonly capabilities: Capabilities
  readonly addresses: readonly Address[]
  readonly queues: Queues
  readonly routes: Routes
  readonly #options: RemoteSpaceOptions
  readonly #pool: ConnectionPool
  readonly #management: ManagementClient
  readonly #logins = new WeakMap<Principal, ClientLogin>()
  readonly #served = new ServedPlaces()

  constructor(
    options: RemoteSpaceOptions,
    pool: ConnectionPool,
    management: ManagementClient,
    { name, type, capabilities, addresses }: Description
  ) {
    this.#options = options
    this.#pool = pool
    this.#management = management
    this.name = options.name ?? name
    this.type = type
    this.mqtt = options.mqtt
    this.capabilities = capabilities
    this.addresses = addresses
    this.queues = remoteQueues(management)
    this.routes = remoteRoutes(management)
  }

  async authenticate(credentials: Credentials): Promise<Authentication> {
    const plain = credentials.mechanism === 'PLAIN' ? credentials : undefined
    const args = { mechanism: credentials.mechanism, username: plain?.username }
    const sections = plain === undefined ? [] : [plain.password]
    const answer = await this.#management.json<Answer>('authenticate', args, sections)
    if (!('rights' in answer)) return answer
    const principal = new EmbeddedPrincipal(answer.rights)
    this.#logins.set(principal, { username: plain?.username, password: plain?.password })
    return { principal }
  }

  async connect(as: Principal | 'service'): Promise<AmqpConnection> {
    if (as === 'service') return this.#connectService()
    const login = this.#logins.get(as)
    if (login === undefined) {
      throw new AmqpError(CONDITIONS.unauthorized, `${as.name} has not logged in here`)
    }
    return this.#pool.connect(login)
  }

  serve(address: string, onLink: (link: ServedLink) => void, onLost?: () => void): Promise<Closeable> {
    return this.#serve(
      {
        address,
        capability: CAPABILITY.serve,
        meet: (end, session) => onLink(new ForwardedLink(end, session))
      },
      onLost
    )
  }

  serveReaders(
    prefix: string,
    onReader: (reader: ServedReader) => void,
    onLost?: () => void
  ): Promise<Closeable> {
    return this.#serve(
      {
        address: prefix,
        capability: CAPABILITY.serveReaders,
        meet: (end, session) => onReader(new ForwardedReader(end, session))
      },
      onLost
    )
  }

  #serve(
    served: Pick<ServingOptions, 'address' | 'capability' | 'meet'>,
    onLost: (() => void) | undefined
  ): Promise<Closeable> {
    const connect = (): Promise<ClientSession> => this.#connectService()
    return this.#served.add(lost => RemoteServing.open({ ...served, onLost: lost, connect }), onLost)
  }

  async source(filter: string, options: SourceOptions): Promise<Source> {
    return openSource(await this.#connectService(), this.#management, filter, options)
  }

  async store(name: string): Promise<KeyedStore> {
    return new RemoteStore(this.#management, name)
  }

  /** Ends what is served, and closes all connections. */
  async close(): Promise<void> {
    await this.#served.close()
    this.#management.close()
    await this.#pool.close()
  }

  #connectService(): Promise<ClientSession> {
    return this.#pool.connect(serviceLogin(this.#options), readTag)
  }
}

/** Rejects with AmqpError where the broker cannot be reached, or does not know the service. */
export async function openRemoteSpace(options: RemoteSpaceOptions): Promise<RemoteSpace> {
  const { host, port, log } = options
  const pool = poolTo(options, `mqtt-over-amqp-${process.pid}`)
  const management = new ManagementClient({
    connect: () => pool.connect(serviceLogin(options), readTag),
    onGone: ({ condition, description }) =>
      log.warn({ host, port, condition, description }, 'the broker is gone; it is tried again'),
    onBack: () => log.info({ host, port }, 'the broker is there again')
  })
  try {
    return new RemoteSpace(options, pool, management, await management.json<Description>('describe'))
  } catch (error) {
    management.close()
    await pool.close()
    throw error
  }
}
