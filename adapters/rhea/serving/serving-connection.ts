// Links of one identity on a host that has no link routing: those to served addresses go to their server, in this process or in another
// one; all others go to the host.
// Rule: a link to a server ends as its client's side ends: a client that vanishes is not taken for one that detaches.

import { AmqpError, CONDITIONS } from '../../../plugin/errors.js'
import type {
  AmqpConnection,
  LinkClosed,
  Receiver,
  ReceiverOptions,
  Sender,
  SenderOptions
} from '../../../plugin/host.js'
import type { ClientSession } from '../client-session.js'
import type { Identity } from '../listener/bridge.js'
import type { Elsewhere, Login } from './elsewhere.js'
import { hereAddress, isServable, LINK_LOST, readAddress, type Whereabouts } from './protocol.js'
import type { ServedAddresses } from './served-addresses.js'
import type { ServedReaders } from './served-readers.js'

export interface ServingParts {
  readonly served: ServedAddresses
  readonly readers: ServedReaders
  readonly elsewhere: Elsewhere
}

export interface ServingOwner {
  readonly who: Identity
  /** for other processes; undefined: nobody logged in here */
  readonly login: Login | undefined
  /** to the host, once. Rejects with AmqpError. */
  readonly connect: () => Promise<AmqpConnection>
}

/** A link to a server. */
interface Link {
  /** The connection of the client's side goes, and the link with it. */
  leave(closed: LinkClosed): void
}

const CLEAN: LinkClosed = { cause: 'clean' }
const LOST: LinkClosed = { cause: 'lost' }

export class ServingConnection implements AmqpConnection {
  readonly #parts: ServingParts
  readonly #owner: ServingOwner
  readonly #links = new Set<Link>()
  /** to other processes */
  readonly #sessions = new Map<string, Promise<ClientSession>>()
  #host: Promise<AmqpConnection> | undefined
  #closed = false

  constructor(parts: ServingParts, owner: ServingOwner) {
    this.#parts = parts
    this.#owner = owner
  }

  /** Connects to the host before the first link asks for it. Rejects with AmqpError. */
  async connect(): Promise<void> {
    await this.#connectHost()
  }

  async openSender(options: SenderOptions): Promise<Sender> {
    const { address, here } = this.#read(options.address)
    if (address === undefined || !isServable(address)) return (await this.#connectHost()).openSender(options)
    const { served, elsewhere } = this.#parts
    if (served.has(address)) return this.#servedSender(address, options)
    const servers = here ? [] : await elsewhere.servers(address)
    return this.#forward(address, servers, session => this.#forwardedSender(session, address, options))
  }

  async openReceiver(options: ReceiverOptions): Promise<Receiver> {
    const { address, here } = this.#read(options.address)
    if (address === undefined || !isServable(address))
      return (await this.#connectHost()).openReceiver(options)
    const { readers, elsewhere } = this.#parts
    if (readers.has(address)) return this.#servedReceiver(address, options)
    const servers = here ? [] : await elsewhere.serversOfReaders(address)
    return this.#forward(address, servers, session => this.#forwardedReceiver(session, address, options))
  }

  async close(): Promise<void> {
    await this.#leave(CLEAN)
  }

  /** The client vanished: its servers are told so. */
  async abandon(): Promise<void> {
    await this.#leave(LOST)
  }

  /** Vanishes without a word, as when its process dies. */
  async lose(): Promise<void> {
    await this.#leave(LOST, async host => {
      if ('lose' in host && typeof host.lose === 'function') await host.lose()
      else await host.close()
    })
  }

  #read(asked: string | undefined): { readonly address: string | undefined; readonly here: boolean } {
    if (this.#closed) throw new AmqpError(CONDITIONS.connectionForced, 'the connection is closed')
    return asked === undefined ? { address: undefined, here: false } : readAddress(asked)
  }

  async #leave(
    closed: LinkClosed,
    end: (connection: AmqpConnection) => Promise<void> = connection => connection.close()
  ): Promise<void> {
    this.#closed = true
    for (const link of [...this.#links]) link.leave(closed)
    this.#links.clear()
    const sessions = [...this.#sessions.values()].map(async opening => (await opening).close())
    const host = this.#host?.then(end)
    // what could not be opened has nothing to close
    await Promise.allSettled([...sessions, host])
  }

  #connectHost(): Promise<AmqpConnection> {
    if (this.#host === undefined) {
      const connecting = this.#owner.connect()
      connecting.catch(() => (this.#host = undefined))
      this.#host = connecting
    }
    return this.#host
  }

  async #servedSender(address: string, options: SenderOptions): Promise<Sender> {
    const link: Link = {
      leave: closed => {
        sender.leave(closed)
        if (closed.cause === 'lost') options.onClosed?.(closed)
      }
    }
    const onEnd = (): void => void this.#links.delete(link)
    const { sender, decided } = this.#parts.served.open(address, options, this.#owner.who, onEnd)
    this.#links.add(link)
    await decided
    return sender
  }

  async #servedReceiver(address: string, options: ReceiverOptions): Promise<Receiver> {
    const link: Link = { leave: closed => receiver.leave(closed) }
    const onEnd = (): void => void this.#links.delete(link)
    const opened = this.#parts.readers.open(address, options, this.#owner.who, onEnd)
    const { link: receiver, decided } = opened
    this.#links.add(link)
    await decided
    return receiver
  }

  /** Tries them one after the other: one may have gone, or not serve any more. */
  async #forward<T>(
    address: string,
    servers: readonly Whereabouts[],
    open: (session: ClientSession) => Promise<T>
  ): Promise<T> {
    for (const server of servers) {
      try {
        return await open(await this.#session(server))
      } catch (error) {
        if (!isAbsence(error)) throw error
      }
    }
    throw new AmqpError(CONDITIONS.notFound, `nobody serves ${address}`)
  }

  async #forwardedSender(session: ClientSession, address: string, options: SenderOptions): Promise<Sender> {
    const link: Link = {
      leave: ({ cause }) => {
        if (cause !== 'lost') return // its session ends so
        void sender.close(LINK_LOST)
        options.onClosed?.(LOST)
      }
    }
    const onClosed = (closed: LinkClosed): void => {
      this.#links.delete(link)
      options.onClosed?.(closed)
    }
    const sender = await session.openSender({ ...options, address: hereAddress(address), onClosed })
    this.#links.add(link)
    return {
      name: sender.name,
      get credit() {
        return sender.credit
      },
      send: (message, onOutcome, sendOptions) => sender.send(message, onOutcome, sendOptions),
      close: error => {
        this.#links.delete(link)
        return sender.close(error)
      }
    }
  }

  async #forwardedReceiver(
    session: ClientSession,
    address: string,
    options: ReceiverOptions
  ): Promise<Receiver> {
    const link: Link = {
      leave: ({ cause }) => {
        if (cause !== 'lost') return
        void receiver.close(LINK_LOST)
        options.onClosed?.(LOST)
      }
    }
    const onClosed = (closed: LinkClosed): void => {
      this.#links.delete(link)
      options.onClosed?.(closed)
    }
    const receiver = await session.openReceiver({ ...options, address: hereAddress(address), onClosed })
    this.#links.add(link)
    return {
      name: receiver.name,
      address,
      addCredit: credit => receiver.addCredit(credit),
      drain: () => receiver.drain(),
      close: error => {
        this.#links.delete(link)
        return receiver.close(error)
      }
    }
  }

  async #session(server: Whereabouts): Promise<ClientSession> {
    const { login, who } = this.#owner
    if (login === undefined) {
      const name = who === 'service' ? who : who.name
      throw new AmqpError(CONDITIONS.unauthorized, `${name} has not logged in here`)
    }
    const { key } = server
    let opening = this.#sessions.get(key)
    if (opening === undefined) {
      const forget = (): void => void this.#sessions.delete(key)
      opening = this.#parts.elsewhere.connect(server, login)
      opening.then(session => void session.ended.then(forget), forget)
      this.#sessions.set(key, opening)
    }
    return opening
  }
}

/** The one who was asked is not there, or does not serve the address. */
function isAbsence(error: unknown): boolean {
  if (!(error instanceof AmqpError)) return false
  return error.condition === CONDITIONS.notFound || error.condition === CONDITIONS.connectionForced
}
