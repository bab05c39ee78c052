// An address space with a listener for AMQP clients beside its host: what this process serves is reached without the host, by the plugin
// here and by clients of the listener; all else, and what other processes serve, is the host's.
// Rule: the host decides who may do what, and who serves: links of users go to it as these users, and who has lost a place there serves
// nobody here.

import type {
  Address,
  AddressSpace,
  AmqpConnection,
  Authentication,
  Capabilities,
  Closeable,
  Credentials,
  KeyedStore,
  Queues,
  Routes,
  ServedLink,
  ServedReader,
  Source,
  SourceOptions
} from '../../../plugin/host.js'
import { AmqpError, CONDITIONS } from '../../../plugin/errors.js'
import type { CoreSpace, Identity } from '../listener/bridge.js'
import { listenAmqp, type AmqpListener, type AmqpListenerOptions } from '../listener/listener.js'
import { PortConnection } from './port-connection.js'
import { ServedAddresses, type Serving } from './served-addresses.js'
import { ServedReaders } from './served-readers.js'
import { ServingConnection } from './serving-connection.js'

/** How long an answer to ANONYMOUS holds, ms: each login asks whether to offer it. */
const ANONYMOUS_MS = 30_000

export class ServedSpace implements AddressSpace {
  readonly #host: AddressSpace & Partial<Closeable>
  readonly #served = new ServedAddresses()
  readonly #readers = new ServedReaders()
  #anonymous: { readonly answer: Promise<Authentication>; readonly until: number } | undefined

  constructor(host: AddressSpace & Partial<Closeable>) {
    this.#host = host
  }

  get name(): string {
    return this.#host.name
  }
  get type(): AddressSpace['type'] {
    return this.#host.type
  }
  get mqtt(): unknown {
    return this.#host.mqtt
  }
  get capabilities(): Capabilities {
    return this.#host.capabilities
  }
  get addresses(): readonly Address[] {
    return this.#host.addresses
  }
  get queues(): Queues {
    return this.#host.queues
  }
  get routes(): Routes {
    return this.#host.routes
  }

  authenticate(credentials: Credentials): Promise<Authentication> {
    return this.#host.authenticate(credentials)
  }

  async connect(as: Identity): Promise<AmqpConnection> {
    const connection = this.#connection(as)
    await connection.connect()
    return connection
  }

  serve(address: string, onLink: (link: ServedLink) => void, onLost?: () => void): Promise<Closeable> {
    return this.#serve(
      lost => this.#host.serve(address, onLink, lost),
      () => this.#served.serve(address, onLink),
      onLost
    )
  }

  serveReaders(
    prefix: string,
    onReader: (reader: ServedReader) => void,
    onLost?: () => void
  ): Promise<Closeable> {
    return this.#serve(
      lost => this.#host.serveReaders(prefix, onReader, lost),
      () => this.#readers.serve(prefix, onReader),
      onLost
    )
  }

  source(filter: string, options: SourceOptions): Promise<Source> {
    return this.#host.source(filter, options)
  }

  store(name: string): Promise<KeyedStore> {
    return this.#host.store(name)
  }

  /** Opens the port for AMQP clients. Rejects with the operating system's error where it cannot listen. */
  listen(options: AmqpListenerOptions): Promise<AmqpListener> {
    return listenAmqp(this.#core(), options)
  }

  /** Closes the host, where it can be closed; listeners are their owner's to close, before it. */
  async close(): Promise<void> {
    await this.#host.close?.()
  }

  /** `far` for clients of other processes, which keeps the place; `near` for those of this one. */
  async #serve(
    far: (onLost: () => void) => Promise<Closeable>,
    near: () => Serving,
    onLost: (() => void) | undefined
  ): Promise<Closeable> {
    let phase: 'opening' | 'open' | 'over' = 'opening'
    let serving: Serving | undefined
    const atHost = await far(() => {
      const told = phase === 'open'
      if (phase === 'over') return
      phase = 'over'
      serving?.orphan()
      if (told) onLost?.()
    })
    if (isOver(phase)) throw new AmqpError(CONDITIONS.connectionForced, 'the host took the place away again')
    try {
      serving = near()
    } catch (error) {
      phase = 'over'
      await atHost.close()
      throw error
    }
    phase = 'open'
    return {
      close: async () => {
        phase = 'over'
        await serving.close()
        await atHost.close()
      }
    }
  }

  #connection(who: Identity): ServingConnection {
    const connect = (): Promise<AmqpConnection> => this.#host.connect(who)
    return new ServingConnection({ served: this.#served, readers: this.#readers, who, connect })
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
      connect: async principal => new PortConnection(this.#connection(principal))
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
