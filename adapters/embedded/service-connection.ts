// A connection that another process opened as the service: links of the core, and the links of management.
// Rule: what is here exists for the service alone; a user's connection never sees it.

import { randomUUID } from 'node:crypto'
import type { LinkClosed, Receiver, Sender, SenderOptions } from '../../plugin/host.js'
import type { CoreConnection, CoreReceiverOptions, CoreSenderOptions } from '../rhea/listener/bridge.js'
import type { Broker } from './broker.js'
import type { EmbeddedConnection } from './connection.js'
import type { Management } from './management.js'
import { CAPABILITY, MANAGEMENT, readLinkAddress, readReaderAddress } from './management-protocol.js'
import { PushReceiver } from './push-receiver.js'
import { EmbeddedSender } from './sender.js'
import type { ReaderSender, ServedElsewhere } from './served-elsewhere.js'

/** Requests of a connection that may be without an answer. */
const REQUESTS = 200

export interface ServiceParts {
  readonly broker: Broker
  readonly management: Management
  readonly served: ServedElsewhere
}

export class ServiceConnection implements CoreConnection {
  readonly #inner: EmbeddedConnection
  readonly #parts: ServiceParts
  readonly #pushed = new Set<PushReceiver>()
  readonly #replies = new Set<PushReceiver>()
  /** links that the service sends on to those who receive */
  readonly #readers = new Set<ReaderSender>()
  /** ends the sources */
  readonly #sources = new Set<() => void>()

  constructor(inner: EmbeddedConnection, parts: ServiceParts) {
    this.#inner = inner
    this.#parts = parts
  }

  async openSender(options: CoreSenderOptions): Promise<Sender> {
    const { address } = options
    if (address === MANAGEMENT) return this.#requests(options)
    const id = address === undefined ? undefined : readReaderAddress(address)
    if (id === undefined) return this.#inner.openSender(options)
    const sender = this.#parts.served.takeReader(id, options, ended => this.#readers.delete(ended))
    this.#readers.add(sender)
    return sender
  }

  async openReceiver(options: CoreReceiverOptions): Promise<Receiver> {
    const { address, capabilities = [], name = `receiver-${randomUUID()}` } = options
    if (address === undefined) return this.#inner.openReceiver(options)
    if (address === MANAGEMENT) return this.#repliesTo(name, options)
    const link = readLinkAddress(address)
    if (link !== undefined) {
      const onEnd = (receiver: PushReceiver): void => void this.#pushed.delete(receiver)
      return this.#keep(this.#parts.served.take(link.id, link.window, options, onEnd))
    }
    if (capabilities.includes(CAPABILITY.serve)) {
      return this.#keep(this.#parts.served.serve(name, address, options))
    }
    if (capabilities.includes(CAPABILITY.serveReaders)) {
      return this.#keep(this.#parts.served.serveReaders(name, address, options))
    }
    if (capabilities.includes(CAPABILITY.source)) return this.#source(name, address, options)
    return this.#inner.openReceiver({ ...options, exclusive: capabilities.includes(CAPABILITY.exclusive) })
  }

  async close(): Promise<void> {
    this.#leave({ cause: 'clean' })
    await this.#inner.close()
  }

  lose(): void {
    this.#leave({ cause: 'lost' })
    this.#inner.lose()
  }

  #leave(closed: LinkClosed): void {
    for (const receiver of [...this.#pushed]) receiver.leave(closed)
    for (const reader of [...this.#readers]) {
      if (closed.cause === 'lost') reader.lose()
      else void reader.close()
    }
    for (const end of [...this.#sources]) end()
    this.#pushed.clear()
    this.#readers.clear()
    this.#replies.clear()
  }

  #keep(receiver: PushReceiver): PushReceiver {
    this.#pushed.add(receiver)
    return receiver
  }

  #requests(options: SenderOptions): Sender {
    const name = options.name ?? `sender-${randomUUID()}`
    return new EmbeddedSender(
      name,
      options,
      REQUESTS,
      (request, onOutcome) => {
        void this.#parts.management.handle(request).then(reply => {
          for (const receiver of this.#replies) receiver.push(reply, () => undefined)
          onOutcome({ type: 'accepted' })
        })
      },
      () => undefined
    )
  }

  #repliesTo(name: string, link: CoreReceiverOptions): Receiver {
    const onLeft = (): void => {
      this.#replies.delete(receiver)
      this.#pushed.delete(receiver)
    }
    const receiver: PushReceiver = new PushReceiver({ name, address: MANAGEMENT, link, onLeft })
    this.#replies.add(receiver)
    return this.#keep(receiver)
  }

  #source(name: string, filter: string, options: CoreReceiverOptions): Receiver {
    const { broker, management } = this.#parts
    const { window, onDelivery, onClosed } = options
    const node = broker.find(filter, 'topic')
    const end = (): void => {
      management.removeSource(name)
      this.#sources.delete(end)
      subscription.detach(false)
    }
    const onEnded = (error: NonNullable<LinkClosed['error']>): void => {
      end()
      onClosed?.({ cause: 'error', error })
    }
    const subscription = broker.subscribe(node.address, name, { window, onDelivery, onEnded })
    management.addSource(name, async () => {
      await subscription.finish()
      end()
      onClosed?.({ cause: 'clean' })
    })
    this.#sources.add(end)
    return {
      name,
      address: filter,
      addCredit: credit => subscription.addCredit(credit),
      drain: () => subscription.drain(),
      close: async () => end()
    }
  }
}
