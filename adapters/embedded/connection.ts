// Links of one identity in this process.
// Rule: a link is known here from the answer to its attach until it is over, so that whatever ends the connection ends them all.

import { randomUUID } from 'node:crypto'
import { AmqpError } from '../../plugin/errors.js'
import type {
  AmqpConnection,
  LinkClosed,
  LinkError,
  Receiver,
  Sender,
  SenderOptions
} from '../../plugin/host.js'
import type { CoreReceiverOptions, Identity } from '../rhea/listener/bridge.js'
import type { Broker, Node } from './broker.js'
import type { Attachment } from './consumer.js'
import { idOf } from './duplicate-id.js'
import { mayReceiveFrom, maySendTo } from './rights.js'
import { EmbeddedSender, Relay, type Forward } from './sender.js'

interface Link {
  /** The client's side went; only a link that was lost is told so. */
  leave(closed: LinkClosed): void
  /** The host's side goes. */
  detach(closed: LinkClosed): void
}

const CLEAN: LinkClosed = { cause: 'clean' }
const LOST: LinkClosed = { cause: 'lost' }

export class EmbeddedConnection implements AmqpConnection {
  readonly #broker: Broker
  readonly #who: Identity
  readonly #onClosed: (connection: EmbeddedConnection) => void
  readonly #links = new Set<Link>()
  #open = true

  constructor(broker: Broker, who: Identity, onClosed: (connection: EmbeddedConnection) => void) {
    this.#broker = broker
    this.#who = who
    this.#onClosed = onClosed
  }

  async openSender(options: SenderOptions): Promise<Sender> {
    this.#assertOpen()
    const { address, kind } = options
    const name = options.name ?? `sender-${randomUUID()}`
    if (address === undefined) {
      const relay = new Relay(this.#broker, this.#who)
      return this.#sender(name, options, (message, onOutcome, id) => relay.send(message, onOutcome, id))
    }
    const served = this.#broker.options.served.has(address)
    const allowed = maySendTo(this.#who, address, served)
    if (!(typeof allowed === 'boolean' ? allowed : await allowed)) throw refusal('send to', address)
    this.#assertOpen()
    if (served) return await this.#servedSender(address, { ...options, name })
    this.#broker.checkSend(address, kind)
    return this.#sender(name, options, (message, onOutcome, id) =>
      this.#broker.send(address, message, onOutcome, kind, idOf(message, id, this.#who))
    )
  }

  async openReceiver(options: CoreReceiverOptions): Promise<Receiver> {
    this.#assertOpen()
    const { address, kind } = options
    if (address !== undefined && this.#broker.options.readers.has(address)) {
      return this.#servedReceiver(address, options)
    }
    const found = this.#broker.find(address, kind)
    if (address === undefined) return this.#receiver(found, options)
    const allowed = mayReceiveFrom(this.#who, address)
    if (!(typeof allowed === 'boolean' ? allowed : await allowed)) throw refusal('receive from', address)
    this.#assertOpen()
    return this.#receiver(this.#broker.find(address, kind), options)
  }

  async close(): Promise<void> {
    this.#leave(CLEAN)
  }

  /** The client vanished: what it did not settle was delivered in vain. */
  lose(): void {
    this.#leave(LOST)
  }

  /** The host ends the connection. */
  end(error: LinkError): void {
    this.#open = false
    for (const link of [...this.#links]) link.detach({ cause: 'lost', error })
    this.#onClosed(this)
  }

  #leave(closed: LinkClosed): void {
    this.#open = false
    for (const link of [...this.#links]) link.leave(closed)
    this.#onClosed(this)
  }

  #assertOpen(): void {
    if (!this.#open) throw new AmqpError('amqp:connection:forced', 'the connection is closed')
  }

  #sender(name: string, options: SenderOptions, forward: Forward): Sender {
    const { senderCredit } = this.#broker.options.limits
    const sender: EmbeddedSender = new EmbeddedSender(name, options, senderCredit, forward, () =>
      this.#links.delete(sender)
    )
    this.#links.add(sender)
    return sender
  }

  async #servedSender(address: string, options: SenderOptions): Promise<Sender> {
    const link: Link = {
      leave: closed => {
        sender.leave(closed)
        if (closed.cause === 'lost') options.onClosed?.(closed)
      },
      detach: ({ error }) => sender.detach(error)
    }
    const { served } = this.#broker.options
    const { sender, decided } = served.open(address, options, this.#who, () => this.#links.delete(link))
    this.#links.add(link)
    if (decided !== undefined) await decided
    return sender
  }

  /** The server asks for the user's rights. */
  async #servedReceiver(address: string, options: CoreReceiverOptions): Promise<Receiver> {
    const link: Link = {
      leave: closed => receiver.leave(closed),
      detach: closed => receiver.leave(closed)
    }
    const onEnd = (): void => void this.#links.delete(link)
    const { link: receiver, decided } = this.#broker.options.readers.open(address, options, this.#who, onEnd)
    this.#links.add(link)
    if (decided !== undefined) await decided
    return receiver
  }

  #receiver(node: Node, options: CoreReceiverOptions): Receiver {
    const name = options.name ?? `receiver-${randomUUID()}`
    const { window, exclusive, browse, onDelivery, onClosed } = options
    const onEnded = (error: LinkError): void => {
      this.#links.delete(link)
      onClosed?.({ cause: 'error', error })
    }
    const attachment: Attachment = this.#broker.attach(node, name, {
      window,
      exclusive,
      browse,
      onDelivery,
      onEnded
    })
    const leave = (failed: boolean, told: LinkClosed | undefined): void => {
      if (!this.#links.delete(link)) return
      attachment.detach(failed)
      if (told !== undefined) onClosed?.(told)
    }
    const link: Link = {
      leave: closed => (closed.cause === 'lost' ? leave(true, closed) : leave(false, undefined)),
      detach: closed => leave(false, closed)
    }
    this.#links.add(link)
    return {
      name,
      address: node.address,
      addCredit: credit => attachment.addCredit(credit),
      drain: () => attachment.drain(),
      close: async () => leave(false, undefined)
    }
  }
}

function refusal(act: string, address: string): AmqpError {
  return new AmqpError('amqp:unauthorized-access', `no right to ${act} ${address}`)
}
