// Links of one identity: those to an address that this process serves go straight to their server, all others to the host.
// Rule: a link to a server ends as its client's side ends, wherever the server is: a client that vanished is not taken for one that
// detached.

import { AmqpError, CONDITIONS } from '../../../plugin/errors.js'
import type {
  AmqpConnection,
  LinkClosed,
  Receiver,
  ReceiverOptions,
  Sender,
  SenderOptions
} from '../../../plugin/host.js'
import { isOwnedAddress } from '../../../plugin/messages/addresses.js'
import type { Identity } from '../listener/bridge.js'
import { LINK_LOST } from './link-lost.js'
import type { ServedAddresses } from './served-addresses.js'
import type { ServedReaders } from './served-readers.js'

export interface ServingConnectionOptions {
  readonly served: ServedAddresses
  readonly readers: ServedReaders
  readonly who: Identity
  /** to the host. Rejects with AmqpError. */
  readonly connect: () => Promise<AmqpConnection>
}

/** A link to a server. */
interface Link {
  /** The connection of the client's side goes, and the link with it. */
  leave(closed: LinkClosed): Promise<void> | undefined
}

const CLEAN: LinkClosed = { cause: 'clean' }
const LOST: LinkClosed = { cause: 'lost' }

/** What nobody serves: nodes of the host. */
const NODES = /^\$mqtt\.(?:(?:to|gw|reply|store|sub|%)\.|.*\.pubrel$)/su

/** True for what somebody may serve. */
export const isServable = (address: string | undefined): address is string =>
  address !== undefined && isOwnedAddress(address) && !NODES.test(address)

export class ServingConnection implements AmqpConnection {
  readonly #options: ServingConnectionOptions
  readonly #links = new Set<Link>()
  #host: Promise<AmqpConnection> | undefined
  #closed = false

  constructor(options: ServingConnectionOptions) {
    this.#options = options
  }

  /** Connects to the host before the first link asks for it. Rejects with AmqpError. */
  async connect(): Promise<void> {
    await this.#connectHost()
  }

  async openSender(options: SenderOptions): Promise<Sender> {
    this.#assertOpen()
    const { address } = options
    if (address !== undefined && this.#options.served.has(address))
      return this.#servedSender(address, options)
    const host = await this.#connectHost()
    return isServable(address) ? this.#farSender(host, options) : host.openSender(options)
  }

  async openReceiver(options: ReceiverOptions): Promise<Receiver> {
    this.#assertOpen()
    const { address } = options
    if (address !== undefined && this.#options.readers.has(address))
      return this.#servedReceiver(address, options)
    const host = await this.#connectHost()
    return isServable(address) ? this.#farReceiver(host, options) : host.openReceiver(options)
  }

  async close(): Promise<void> {
    await this.#leave(CLEAN, host => host.close())
  }

  /** The client vanished: its servers are told so. */
  async abandon(): Promise<void> {
    await this.#leave(LOST, host => host.close())
  }

  /** Vanishes without a word, as when its process dies. */
  async lose(): Promise<void> {
    await this.#leave(LOST, async host => {
      if ('lose' in host && typeof host.lose === 'function') await host.lose()
      else await host.close()
    })
  }

  #assertOpen(): void {
    if (this.#closed) throw new AmqpError(CONDITIONS.connectionForced, 'the connection is closed')
  }

  async #leave(closed: LinkClosed, end: (host: AmqpConnection) => Promise<void>): Promise<void> {
    this.#closed = true
    const leaving = [...this.#links].map(link => link.leave(closed))
    this.#links.clear()
    // what could not be opened, or has gone, has nothing to close
    const [host] = await Promise.allSettled([this.#host, ...leaving])
    if (host.status === 'fulfilled' && host.value !== undefined) await end(host.value)
  }

  #connectHost(): Promise<AmqpConnection> {
    if (this.#host === undefined) {
      const connecting = this.#options.connect()
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
        return undefined
      }
    }
    const { served, who } = this.#options
    const onEnd = (): void => void this.#links.delete(link)
    const { sender, decided } = served.open(address, options, who, onEnd)
    this.#links.add(link)
    await decided
    return sender
  }

  async #servedReceiver(address: string, options: ReceiverOptions): Promise<Receiver> {
    const link: Link = {
      leave: closed => {
        receiver.leave(closed)
        return undefined
      }
    }
    const { readers, who } = this.#options
    const onEnd = (): void => void this.#links.delete(link)
    const { link: receiver, decided } = readers.open(address, options, who, onEnd)
    this.#links.add(link)
    await decided
    return receiver
  }

  /** To a server in another process. */
  async #farSender(host: AmqpConnection, options: SenderOptions): Promise<Sender> {
    const far = this.#far(options.onClosed)
    const sender = await host.openSender({ ...options, onClosed: far.onClosed })
    const closing = far.opened(sender)
    return {
      name: sender.name,
      get credit() {
        return sender.credit
      },
      send: (message, onOutcome, sendOptions) => sender.send(message, onOutcome, sendOptions),
      close: closing
    }
  }

  async #farReceiver(host: AmqpConnection, options: ReceiverOptions): Promise<Receiver> {
    const far = this.#far(options.onClosed)
    const receiver = await host.openReceiver({ ...options, onClosed: far.onClosed })
    const closing = far.opened(receiver)
    return {
      name: receiver.name,
      address: receiver.address,
      addCredit: credit => receiver.addCredit(credit),
      drain: () => receiver.drain(),
      close: closing
    }
  }

  /** Remembers a link while it is open; the close of its connection is a clean one, so that a vanished client is told of here. */
  #far(onClosed: SenderOptions['onClosed']): {
    readonly onClosed: (closed: LinkClosed) => void
    readonly opened: (open: Pick<Sender, 'close'>) => Sender['close']
  } {
    let link: Link | undefined
    const forget = (): void => void (link !== undefined && this.#links.delete(link))
    return {
      onClosed: closed => {
        forget()
        onClosed?.(closed)
      },
      opened: open => {
        link = {
          leave: closed => {
            if (closed.cause !== 'lost') return undefined
            onClosed?.(closed)
            return open.close(LINK_LOST)
          }
        }
        this.#links.add(link)
        return error => {
          forget()
          return open.close(error)
        }
      }
    }
  }
}
