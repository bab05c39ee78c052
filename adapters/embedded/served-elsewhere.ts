// Addresses that another process serves over AMQP.
// Rule: a link of a client is answered when its server has taken it or refused it; each is a link of its own to the server, so that
// credit, outcomes and the end of each side are those of the other.

import type { Receiver, Sender, ServedLink, ServedReader } from '../../plugin/host.js'
import type { CoreReceiverOptions, CoreSenderOptions } from '../rhea/listener/bridge.js'
import { endOf, GONE, Offers } from './offers.js'
import { PushReceiver } from './push-receiver.js'
import type { ServedReaders } from '../rhea/serving/served-readers.js'
import type { ServedAddresses } from '../rhea/serving/served-addresses.js'

/** The end of a reader's link that its server sends on. */
export interface ReaderSender extends Sender {
  /** The server's connection was lost. */
  lose(): void
}

export class ServedElsewhere {
  readonly #served: ServedAddresses
  readonly #readers: ServedReaders
  readonly #links = new Offers<ServedLink>()
  readonly #readerLinks = new Offers<ServedReader>()

  constructor(served: ServedAddresses, readers: ServedReaders) {
    this.#served = served
    this.#readers = readers
  }

  /** Serves `address` for the one who receives here. Throws `amqp:resource-locked`. */
  serve(name: string, address: string, link: CoreReceiverOptions): PushReceiver {
    return this.#links.serve(name, address, link, onLink => this.#served.serve(address, onLink))
  }

  /** Serves readers of `prefix` for the one who receives here. Throws `amqp:resource-locked`. */
  serveReaders(name: string, prefix: string, link: CoreReceiverOptions): PushReceiver {
    return this.#readerLinks.serve(name, prefix, link, onReader => this.#readers.serve(prefix, onReader))
  }

  /** The server takes a link that it was told of. Throws `amqp:not-found`. */
  take(
    id: string,
    window: number,
    options: CoreReceiverOptions,
    onEnd: (receiver: PushReceiver) => void
  ): Receiver & PushReceiver {
    const { link, decided } = this.#links.take(id)
    const receiver = new PushReceiver({
      name: options.name ?? id,
      address: options.address ?? id,
      link: options,
      onLeft: closed => {
        onEnd(receiver)
        link.close(closed.cause === 'lost' ? GONE : closed.error)
      }
    })
    link.accept({
      window,
      onDelivery: delivery => receiver.push(delivery.message, outcome => delivery.settle(outcome)),
      onClosed: closed => {
        onEnd(receiver)
        receiver.end(endOf(closed))
      }
    })
    decided()
    return receiver
  }

  /** The server takes the link of a reader that it was told of. Throws `amqp:not-found`. */
  takeReader(id: string, options: CoreSenderOptions, onEnd: (sender: ReaderSender) => void): ReaderSender {
    const { link: reader, decided } = this.#readerLinks.take(id)
    const sender: ReaderSender = {
      name: options.name ?? id,
      get credit() {
        return reader.credit
      },
      send: (message, onOutcome) => reader.send(message, onOutcome),
      close: async error => {
        onEnd(sender)
        reader.close(error)
      },
      lose: () => reader.close(GONE)
    }
    reader.accept({
      onCredit: () => options.onCredit?.(),
      onClosed: closed => {
        onEnd(sender)
        options.onClosed?.(endOf(closed))
      },
      onDrain: options.onDrain
    })
    decided()
    return sender
  }
}
