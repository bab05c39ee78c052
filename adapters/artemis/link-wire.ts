// One side's way to the other ends of its links: an inbox of its own on the broker, and one link to all other inboxes.
// Rule: frames to one peer keep their order, and wait here for the broker's credit; there are no more than the windows of the links
// allow. When the connection goes, every link over it is told once.

import { randomUUID } from 'node:crypto'
import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { AmqpConnection, Delivery, LinkClosed, Outcome, Sender } from '../../plugin/host.js'
import type { Broker } from './broker.js'
import { translating } from './broker-errors.js'
import { decodeFrame, encodeFrame, type Frame } from './link-frames.js'
import { INBOX } from './names.js'
import type { PeerWatch } from './peer-watch.js'

/** A link's end on this side. */
export interface WireLink {
  onFrame(frame: Frame): void
  /** The connection of this side is gone. */
  onLost(): void
}

interface WireParts {
  readonly connection: AmqpConnection
  readonly broker: Broker
  readonly watch: PeerWatch
}

interface Waiting {
  readonly link: string
  readonly to: string
  readonly frame: Frame
  readonly onOutcome: ((outcome: Outcome) => void) | undefined
}

const WINDOW = 500

export class LinkWire {
  readonly inbox = `${INBOX}${randomUUID()}`
  readonly watch: PeerWatch
  readonly #links = new Map<string, WireLink>()
  readonly #waiting: Waiting[] = []
  #relay: Sender | undefined
  #lost = false

  private constructor(watch: PeerWatch) {
    this.watch = watch
  }

  static async open({ connection, broker, watch }: WireParts): Promise<LinkWire> {
    const wire = new LinkWire(watch)
    await watch.ready()
    await broker.createTemporaryQueue(wire.inbox)
    const onClosed = (_closed: LinkClosed): void => wire.#end()
    const onDelivery = (delivery: Delivery): void => wire.#take(delivery)
    await translating(
      connection.openReceiver({ address: wire.inbox, kind: 'queue', window: WINDOW, onDelivery, onClosed })
    )
    const onCredit = (): void => wire.#flush()
    wire.#relay = await translating(
      connection.openSender({ address: undefined, kind: 'queue', onCredit, onClosed })
    )
    return wire
  }

  add(id: string, link: WireLink): void {
    this.#links.set(id, link)
  }

  remove(id: string): void {
    this.#links.delete(id)
  }

  /** `onOutcome`: whether it is in the peer's inbox. */
  send(link: string, to: string, frame: Frame, onOutcome?: (outcome: Outcome) => void): void {
    if (this.#lost) return
    this.#waiting.push({ link, to, frame, onOutcome })
    this.#flush()
  }

  /** Sends, and resolves when it is in the peer's inbox, or never will be. */
  sent(link: string, to: string, frame: Frame): Promise<void> {
    if (this.#lost) return Promise.resolve()
    return new Promise(resolve => {
      const end: WireLink = { onFrame: () => undefined, onLost: resolve }
      const id = randomUUID()
      this.#links.set(id, end)
      this.send(link, to, frame, () => {
        this.#links.delete(id)
        resolve()
      })
    })
  }

  #flush(): void {
    const relay = this.#relay
    while (relay !== undefined && relay.credit > 0) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      relay.send(encodeFrame(next.link, next.to, next.frame), next.onOutcome)
    }
  }

  #take({ message, settle }: Delivery): void {
    settle({ type: 'accepted' })
    const decoded = decodeFrame(message)
    if (decoded !== undefined) this.#links.get(decoded.link)?.onFrame(decoded.frame)
  }

  #end(): void {
    if (this.#lost) return
    this.#lost = true
    this.#waiting.length = 0
    const links = [...this.#links.values()]
    this.#links.clear()
    for (const link of links) link.onLost()
  }
}

export const LOST = new AmqpError(CONDITIONS.connectionForced, 'the connection to the broker is gone')
export const SERVER_GONE = {
  condition: CONDITIONS.detachForced,
  description: 'the server detached the link'
} as const
