// A connection to a space in memory: its links to topics, queues and served addresses.
// Rule: each link ends once, and its peer is told why.

import { AmqpError } from '../plugin/errors.js'
import type {
  AmqpConnection,
  LinkClosed,
  LinkError,
  Message,
  Outcome,
  Principal,
  Receiver,
  ReceiverOptions,
  Sender,
  SenderOptions,
  ServedLink
} from '../plugin/host.js'
import { isValidTopicFilter, isValidTopicName } from '../plugin/mqtt/topic.js'
import { MemoryQueue, Taker } from './memory-queue.js'
import { openReader } from './memory-reader.js'
import type { End, MemorySpace, Served, ServedPrefix } from './memory-space.js'

const CREDIT = 1000
const ACCEPTED: Outcome = { type: 'accepted' }
const DELETED = { condition: 'amqp:resource-deleted', description: 'the queue is gone' }
const CLEAN: LinkClosed = { cause: 'clean' }
const closedWith = (error?: LinkError): LinkClosed => (error ? { cause: 'error', error } : CLEAN)
const notFound = (address: string): AmqpError => new AmqpError('amqp:not-found', `no address ${address}`)
const forbidden = (address: string): AmqpError =>
  new AmqpError('amqp:unauthorized-access', `no right to ${address}`)

export class MemoryConnection implements AmqpConnection {
  readonly #space: MemorySpace
  readonly #as: Principal | 'service'
  readonly #links = new Set<End>()
  #names = 0

  constructor(space: MemorySpace, as: Principal | 'service') {
    this.#space = space
    this.#as = as
  }

  async openSender(options: SenderOptions): Promise<Sender> {
    const { address = '', name = `link-${++this.#names}` } = options
    const served = this.#space.served.get(address)
    if (served) return this.#openServed(options, name, address, served)
    const queue = this.#space.nodes.get(address)
    if (!queue && (address.startsWith('$') || !isValidTopicName(address))) throw notFound(address)
    if (this.#as !== 'service' && !(await this.#as.maySend(address))) throw forbidden(address)
    const send = (message: Message, onOutcome?: (outcome: Outcome) => void): void => {
      if (queue) queue.push(message)
      else this.#space.publish(address, message)
      onOutcome?.(ACCEPTED)
    }
    const end = this.#link(() => undefined, options.onClosed)
    return { name, credit: CREDIT, send, close: async () => end(CLEAN) }
  }

  async openReceiver(options: ReceiverOptions): Promise<Receiver> {
    const { address = '', name = `link-${++this.#names}`, window, onDelivery, onClosed } = options
    const readers = this.#space.readersOf(address)
    if (readers) return this.#openReader({ ...options, name, address }, readers)
    const queue = this.#space.nodes.get(address)
    // a control address is there as long as somebody receives from it
    const control = !queue && this.#as === 'service' && /^\$mqtt\..+\.control$/.test(address)
    if (!queue && !control && (address.startsWith('$') || !isValidTopicFilter(address)))
      throw notFound(address)
    if (this.#as !== 'service' && !(await this.#as.mayReceive(address))) throw forbidden(address)
    const taker = new Taker(window, onDelivery, () => end({ cause: 'error', error: DELETED }, true))
    const node = queue ?? (control ? new MemoryQueue() : this.#space.subscribe(address))
    if (control) this.#space.nodes.set(address, node)
    node.take(taker)
    const end = this.#link(() => {
      node.leave(taker)
      if (control) this.#space.nodes.delete(address)
      else if (!queue) this.#space.unsubscribe(node)
    }, onClosed)
    const addCredit = (credit: number): void => {
      taker.credit += credit
      node.flush()
    }
    const drain = async (): Promise<void> => {
      node.flush()
      taker.credit = 0
    }
    return { name, address, addCredit, drain, close: async () => end(CLEAN) }
  }

  async close(): Promise<void> {
    for (const end of this.#links) end(CLEAN)
  }

  /** As when the process of the peer dies. */
  lose(): void {
    for (const end of this.#links) end({ cause: 'lost' }, true)
  }

  /** The end of a link, for whoever brings it about; `tell`: this side did not. */
  #link(onEnd: (closed: LinkClosed) => void, onClosed: SenderOptions['onClosed']): End {
    const end: End = (closed, tell = false) => {
      if (!this.#links.delete(end)) return
      onEnd(closed)
      if (tell) onClosed?.(closed)
    }
    this.#links.add(end)
    return end
  }

  #openReader(
    options: ReceiverOptions & { readonly name: string; readonly address: string },
    served: ServedPrefix
  ): Receiver {
    return openReader(served.onReader, options, this.#as, onEnd => {
      const end = this.#link(closed => {
        served.ends.delete(end)
        onEnd(closed)
      }, options.onClosed)
      served.ends.add(end)
      return end
    })
  }

  #openServed(options: SenderOptions, name: string, address: string, served: Served): Sender {
    let server: Parameters<ServedLink['accept']>[0] | undefined
    let refusal: LinkError | undefined
    let credit = 0
    const end = this.#link(closed => {
      served.ends.delete(end)
      server?.onClosed(closed)
      server = undefined
    }, options.onClosed)
    served.ends.add(end)
    const close = (error?: LinkError): void => {
      if (server === undefined) refusal = error ?? { condition: 'amqp:not-allowed', description: 'refused' }
      server = undefined // it needs not be told
      end(closedWith(error), refusal === undefined)
    }
    const accept: ServedLink['accept'] = handlers => {
      server = handlers
      credit = handlers.window
    }
    served.onLink({ name, address, user: this.#as, accept, close })
    if (refusal !== undefined) throw new AmqpError(refusal.condition, refusal.description)
    const send: Sender['send'] = (message, onOutcome) => {
      if (credit === 0) throw new RangeError('no credit')
      credit -= 1
      let settled = false
      const settle = (outcome: Outcome): void => {
        if (settled || server === undefined) return
        settled = true
        onOutcome?.(outcome)
        if (++credit === 1) options.onCredit?.()
      }
      server?.onDelivery({ message, id: undefined, deliveryCount: message.deliveryCount, settle })
    }
    return {
      name,
      get credit() {
        return credit
      },
      send,
      close: async error => end(closedWith(error))
    }
  }
}
