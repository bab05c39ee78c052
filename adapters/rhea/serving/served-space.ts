// An address space whose host has no link routing, with what that lacks: served addresses, and a listener for AMQP clients beside the
// broker, which serves them and passes everything else on.
// Rule: the host decides who may do what, and who serves: links of users go to it as these users, and one process has a place.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { hostname } from 'node:os'
import { AmqpError, CONDITIONS } from '../../../plugin/errors.js'
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
} from '../../../plugin/host.js'
import type { CoreService, CoreSpace } from '../listener/bridge.js'
import { listenAmqp, type AmqpListener, type AmqpListenerOptions } from '../listener/listener.js'
import { Elsewhere } from './elsewhere.js'
import { Place } from './place.js'
import { PortConnection } from './port-connection.js'
import { placeOf, readersPlaceOf, SERVICE_LOGIN, type Whereabouts } from './protocol.js'
import { ServedAddresses, type Serving } from './served-addresses.js'
import { ServedReaders } from './served-readers.js'
import { ServingConnection, type ServingParts } from './serving-connection.js'

export type Backing = Omit<AddressSpace, 'serve' | 'serveReaders'>

export interface ServedSpaceOptions {
  readonly listener: Omit<AmqpListenerOptions, 'log'>
  /** where other processes that share the broker reach the listener; undefined: where it listens, by the name of this machine */
  readonly announced?: { readonly host: string; readonly port?: number | undefined } | undefined
  readonly log: Logger
}

/** How long an answer to ANONYMOUS holds, ms: each login asks whether to offer it. */
const ANONYMOUS_MS = 30_000

const ANY_ADDRESS: readonly string[] = ['0.0.0.0', '::']

export class ServedSpace implements AddressSpace {
  readonly #backing: Backing
  readonly #parts: ServingParts
  readonly #key: string
  readonly #logins = new WeakMap<Principal, Credentials>()
  readonly #served = new ServedAddresses()
  readonly #readers = new ServedReaders()
  #listener: AmqpListener | undefined
  #whereabouts: Whereabouts | undefined
  #anonymous: { readonly answer: Promise<Authentication>; readonly until: number } | undefined

  private constructor(backing: Backing, log: Logger) {
    this.#backing = backing
    this.#key = randomBytes(32).toString('base64url')
    const containerId = `mqtt-over-amqp-${process.pid}`
    const elsewhere = new Elsewhere({ space: backing, containerId, ownKey: this.#key, log })
    this.#parts = { served: this.#served, readers: this.#readers, elsewhere }
  }

  /** Rejects with the operating system's error where it cannot listen. */
  static async open(backing: Backing, options: ServedSpaceOptions): Promise<ServedSpace> {
    const space = new ServedSpace(backing, options.log)
    const { listener, announced, log } = options
    const listening = await listenAmqp(space.#core(), { ...listener, log })
    const { host, port } = listening
    space.#listener = listening
    space.#whereabouts = {
      host: announced?.host ?? (ANY_ADDRESS.includes(host) ? hostname() : host),
      port: announced?.port ?? port,
      key: space.#key
    }
    return space
  }

  get name(): string {
    return this.#backing.name
  }
  get type(): AddressSpace['type'] {
    return this.#backing.type
  }
  get mqtt(): unknown {
    return this.#backing.mqtt
  }
  get capabilities(): Capabilities {
    return this.#backing.capabilities
  }
  get addresses(): readonly Address[] {
    return this.#backing.addresses
  }
  get queues(): Queues {
    return this.#backing.queues
  }
  get routes(): Routes {
    return this.#backing.routes
  }

  /** Where AMQP clients reach it. */
  get listener(): Pick<AmqpListener, 'host' | 'port' | 'connections'> {
    if (this.#listener === undefined) throw new TypeError('the listener is there when open() has resolved')
    return this.#listener
  }

  async authenticate(credentials: Credentials): Promise<Authentication> {
    const answer = await this.#backing.authenticate(credentials)
    if ('principal' in answer) this.#logins.set(answer.principal, credentials)
    return answer
  }

  async connect(as: Principal | 'service'): Promise<AmqpConnection> {
    const connection = this.#connection(as)
    await connection.connect()
    return connection
  }

  serve(address: string, onLink: (link: ServedLink) => void, onLost?: () => void): Promise<Closeable> {
    return this.#occupy(placeOf(address), () => this.#served.serve(address, onLink), onLost)
  }

  serveReaders(
    prefix: string,
    onReader: (reader: ServedReader) => void,
    onLost?: () => void
  ): Promise<Closeable> {
    return this.#occupy(readersPlaceOf(prefix), () => this.#readers.serve(prefix, onReader), onLost)
  }

  source(filter: string, options: SourceOptions): Promise<Source> {
    return this.#backing.source(filter, options)
  }

  store(name: string): Promise<KeyedStore> {
    return this.#backing.store(name)
  }

  /** Ends the connections of AMQP clients, after `deadlineMs` without asking, and those to other processes; the host stays open. */
  async close(deadlineMs?: number): Promise<void> {
    await this.#listener?.close(deadlineMs)
    await this.#parts.elsewhere.close()
  }

  async #occupy(queue: string, open: () => Serving, onLost: (() => void) | undefined): Promise<Closeable> {
    let phase: 'opening' | 'open' | 'over' = 'opening'
    let serving: Serving | undefined
    let place: Place | undefined
    const lost = (): void => {
      const told = phase === 'open'
      if (phase === 'over') return
      phase = 'over'
      serving?.orphan()
      void place?.leave()
      if (told) onLost?.()
    }
    const end = async (): Promise<void> => {
      phase = 'over'
      await serving?.close()
      await place?.leave()
    }
    place = await Place.take(this.#backing, queue, lost)
    try {
      serving = open()
      await place.announce(this.#announced())
      if (isOver(phase))
        throw new AmqpError(CONDITIONS.connectionForced, 'the host took the place away again')
    } catch (error) {
      await end()
      throw error
    }
    phase = 'open'
    return { close: async () => (isOver(phase) ? undefined : end()) }
  }

  #announced(): Whereabouts {
    if (this.#whereabouts === undefined) throw new TypeError('nothing is served before open() has resolved')
    return this.#whereabouts
  }

  #connection(who: Principal | 'service'): ServingConnection {
    const login = who === 'service' ? who : this.#logins.get(who)
    return new ServingConnection(this.#parts, { who, login, connect: () => this.#backing.connect(who) })
  }

  /** The space as AMQP clients see it. */
  #core(): CoreSpace {
    return {
      name: this.name,
      capabilities: this.capabilities,
      authenticate: credentials =>
        credentials.mechanism === 'ANONYMOUS'
          ? this.#authenticateAnonymous()
          : this.authenticate(credentials),
      connect: async principal => new PortConnection(this.#connection(principal)),
      service: this.#service()
    }
  }

  /** The plugin in other processes, which has read the key where it can read alone. */
  #service(): CoreService {
    const digest = (text: string | Uint8Array): Buffer => createHash('sha256').update(text).digest()
    const expected = digest(this.#key)
    const connect = async (): Promise<never> => {
      throw new AmqpError(CONDITIONS.unauthorized, 'only what is served here')
    }
    return {
      knows: credentials =>
        credentials.mechanism === 'PLAIN' &&
        credentials.username === SERVICE_LOGIN &&
        timingSafeEqual(digest(credentials.password), expected),
      connect: async () =>
        new PortConnection(new ServingConnection(this.#parts, { who: 'service', login: undefined, connect }))
    }
  }

  #authenticateAnonymous(): Promise<Authentication> {
    const now = performance.now()
    if (this.#anonymous === undefined || this.#anonymous.until < now) {
      const answer = this.authenticate({ mechanism: 'ANONYMOUS' })
      const forget = (): void => void (this.#anonymous = undefined)
      answer.then(known => {
        if ('refused' in known && known.refused === 'unavailable') forget()
      }, forget)
      this.#anonymous = { answer, until: now + ANONYMOUS_MS }
    }
    return this.#anonymous.answer
  }
}

const isOver = (phase: string): boolean => phase === 'over'
