// A logical connection of the plugin's or of a user's to the broker: which node an address is, and over whose link it is reached.
// Rule: what a user does on topics and on the host's queues goes over links of the user's, so that the broker judges it; what the plugin
// owns is reached over the plugin's links after this side has judged, since a right to it would be a right to every client's.

import { randomUUID } from 'node:crypto'
import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type {
  AmqpConnection,
  LinkError,
  Message,
  Receiver,
  ReceiverOptions,
  Sender,
  SenderOptions,
  SendOptions
} from '../../plugin/host.js'
import {
  decodeClientAddress,
  isGatewayControlAddress,
  isOwnedAddress,
  isReplyNode
} from '../../plugin/messages/addresses.js'
import { isValidTopicFilter, isValidTopicName } from '../../plugin/mqtt/topic.js'
import type { ClientSession } from '../rhea/client-session.js'
import { withDuplicateId } from '../rhea/duplicate-property.js'
import { translating, translatedOutcome } from './broker-errors.js'
import { LinkWire } from './link-wire.js'
import { LinkedReceiver } from './linked-receiver.js'
import { LinkedSender } from './linked-sender.js'
import { ALL_READERS, readersPrefix, REPLY, serveQueue } from './names.js'
import type { PeerWatch } from './peer-watch.js'
import type { ArtemisQueues } from './queues.js'
import { RelaySender } from './relay-sender.js'
import { Subscription, type SubscriptionParts } from './subscriptions.js'
import type { ArtemisPrincipal } from './users.js'

export interface ConnectionParts extends SubscriptionParts {
  readonly queues: ArtemisQueues
  readonly maxTopicLevels: number
  readonly watch: PeerWatch
  readonly connectService: () => Promise<ClientSession>
}

const unauthorized = (who: ArtemisPrincipal, address: string): AmqpError =>
  new AmqpError(CONDITIONS.unauthorized, `${who.name} may not use ${address}`)
const notFound = (address: string): AmqpError => new AmqpError(CONDITIONS.notFound, `no ${address}`)

/** There only while somebody receives from it. */
const isControl = (address: string): boolean =>
  isGatewayControlAddress(address) || /^\$mqtt\.to\..+\.control$/s.test(address)

/** May be an address that somebody serves. */
const isServable = (address: string): boolean =>
  decodeClientAddress(address) === undefined && !isControl(address) && !isReplyNode(address)

export class ArtemisConnection implements AmqpConnection {
  readonly #user: ArtemisPrincipal | undefined
  readonly #own: ClientSession
  readonly #parts: ConnectionParts
  /** of the plugin's, for what it owns */
  #service: Promise<ClientSession> | undefined
  #wire: Promise<LinkWire> | undefined
  /** to served addresses */
  readonly #links = new Set<{ leave(): Promise<void> }>()
  /** queues of receivers that are open */
  readonly #temporary = new Set<string>()
  #closed = false

  /** `own`: of the user's, or of the plugin's where there is none. */
  constructor(user: ArtemisPrincipal | undefined, own: ClientSession, parts: ConnectionParts) {
    this.#user = user
    this.#own = own
    this.#parts = parts
    if (user === undefined) this.#service = Promise.resolve(own)
  }

  async openSender(options: SenderOptions): Promise<Sender> {
    const { address } = options
    if (address === undefined) return this.#openRelay(options)
    const kind = this.#kindOf(address)
    if (kind === 'topic') {
      if (
        options.kind === 'queue' ||
        !isValidTopicName(address, this.#parts.maxTopicLevels) ||
        address.includes('::')
      ) {
        throw notFound(`${options.kind ?? 'topic'} ${address}`)
      }
      return this.#told(await translating(this.#own.openSender({ ...options, kind })))
    }
    if (kind === 'queue') return this.#told(await translating(this.#own.openSender({ ...options, kind })))
    if (isServable(address) && (await this.#isAttended(serveQueue(address)))) {
      const link = await LinkedSender.open(options, await this.#attaching(address, serveQueue(address)))
      this.#links.add(link)
      return link
    }
    if (isServable(address) && !address.startsWith('$mqtt.')) throw notFound(address)
    const error = this.#maySend(address)
    if (error !== undefined) throw error
    const service = await this.#connectService()
    const [sender] = await Promise.all([
      translating(service.openSender({ ...options, kind: 'queue' })),
      isControl(address) || isReplyNode(address) ? this.#assertAttended(address) : undefined
    ])
    return this.#told(sender)
  }

  async openReceiver(options: ReceiverOptions): Promise<Receiver> {
    const { address } = options
    if (address === undefined) return this.#openTemporary(`${REPLY}${randomUUID()}`, options)
    const kind = this.#kindOf(address)
    if (kind === 'owned') return this.#openOwned(address, options)
    if (kind === 'queue') return translating(this.#own.openReceiver({ ...options, kind }))
    const valid = isValidTopicFilter(address, this.#parts.maxTopicLevels) && !address.includes('::')
    if (options.kind === 'queue' || !valid) throw notFound(`${options.kind ?? 'topic filter'} ${address}`)
    if (this.#user !== undefined && !(await this.#user.mayReceive(address)))
      throw unauthorized(this.#user, address)
    const { kind: _topic, exclusive: _exclusive, ...rest } = options
    return Subscription.open(await this.#connectService(), address, rest, this.#parts)
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#links].map(link => link.leave()))
    const service = await this.#service?.catch(() => undefined)
    await Promise.all([this.#own.close(), service?.close()])
    // the broker would take its time
    await Promise.all(
      [...this.#temporary].map(queue => this.#parts.broker.destroyQueue(queue).catch(() => undefined))
    )
  }

  /** Vanishes without a word. */
  async lose(): Promise<void> {
    this.#own.lose()
    const service = await this.#service?.catch(() => undefined)
    service?.lose()
  }

  #kindOf(address: string): 'owned' | 'queue' | 'topic' {
    if (this.#parts.hostQueues.includes(address)) return 'queue'
    if (!address.startsWith('$')) return 'topic'
    if (isOwnedAddress(address)) return 'owned'
    throw notFound(`address ${address}`)
  }

  #maySend(address: string): AmqpError | undefined {
    const user = this.#user
    if (user === undefined || isReplyNode(address)) return undefined
    const client = decodeClientAddress(address)
    return client?.kind === 'pubrel' && user.mayUse(client.clientId) ? undefined : unauthorized(user, address)
  }

  async #openOwned(address: string, options: ReceiverOptions): Promise<Receiver> {
    const readers = isServable(address) ? await this.#readersOf(address) : undefined
    if (readers !== undefined) {
      const link = await LinkedReceiver.open(options, await this.#attaching(address, readers))
      this.#links.add(link)
      return link
    }
    if (isServable(address) && !address.startsWith('$mqtt.')) throw notFound(address)
    const client = decodeClientAddress(address)
    const user = this.#user
    if (user !== undefined && (client === undefined || !user.mayUse(client.clientId)))
      throw unauthorized(user, address)
    if (isControl(address)) return this.#openTemporary(address, options)
    return this.#parts.queues.receive(await this.#connectService(), { ...options, address })
  }

  /** A queue that goes with its receiver. */
  async #openTemporary(address: string, options: ReceiverOptions): Promise<Receiver> {
    const { broker } = this.#parts
    const service = await this.#connectService()
    await broker.createTemporaryQueue(address)
    const receiver = await translating(service.openReceiver({ ...options, address, kind: 'queue' }))
    this.#temporary.add(address)
    return {
      name: receiver.name,
      address,
      addCredit: credit => receiver.addCredit(credit),
      drain: () => receiver.drain(),
      close: async error => {
        await receiver.close(error)
        this.#temporary.delete(address)
        await broker.destroyQueue(address)
      }
    }
  }

  /** The broker keeps a queue for a while after its consumer has gone. */
  async #isAttended(queue: string): Promise<boolean> {
    return ((await this.#parts.broker.consumerCount(queue)) ?? 0) > 0
  }

  async #assertAttended(address: string): Promise<void> {
    if (!(await this.#isAttended(address))) throw notFound(`receiver at ${address}`)
  }

  /** The queue of who serves it to readers. */
  async #readersOf(address: string): Promise<string | undefined> {
    const rows = await this.#parts.broker.queues(ALL_READERS)
    return rows.find(
      ({ name, consumerCount }) => consumerCount !== '0' && address.startsWith(readersPrefix(name))
    )?.name
  }

  async #attaching(address: string, queue: string): Promise<Parameters<typeof LinkedSender.open>[1]> {
    const { broker, watch } = this.#parts
    this.#wire ??= this.#connectService().then(connection => LinkWire.open({ connection, broker, watch }))
    return { wire: await this.#wire, queue, address, user: this.#user }
  }

  async #openRelay(options: SenderOptions): Promise<Sender> {
    const topics = await translating(this.#own.openSender({ ...options, kind: 'topic' }))
    return new RelaySender({
      topics: this.#told(topics),
      resolve: to => this.#resolve(to),
      onClosed: closed => options.onClosed?.(closed),
      queues: async (onCredit, onClosed) => {
        const service = await this.#connectService()
        return this.#told(await service.openSender({ address: undefined, kind: 'queue', onCredit, onClosed }))
      }
    })
  }

  #resolve(to: string | undefined): 'topic' | 'queue' | LinkError | Promise<'queue' | LinkError> {
    if (to === undefined) return { condition: CONDITIONS.notFound, description: 'a message without `to`' }
    if (this.#parts.hostQueues.includes(to)) return this.#mayUseQueue(to)
    if (to.startsWith('$')) {
      if (!isOwnedAddress(to)) return notFound(`address ${to}`)
      const error = this.#maySend(to)
      if (error !== undefined) return error
      if (!isControl(to) && !isReplyNode(to)) return 'queue'
      return this.#assertAttended(to).then(
        () => 'queue' as const,
        (failure: unknown) => (failure instanceof AmqpError ? failure : Promise.reject(failure))
      )
    }
    return isValidTopicName(to, this.#parts.maxTopicLevels) && !to.includes('::')
      ? 'topic'
      : notFound(`topic ${to}`)
  }

  #mayUseQueue(queue: string): 'queue' | Promise<'queue' | LinkError> {
    const user = this.#user
    if (user === undefined) return 'queue'
    return user.maySend(queue).then(may => (may ? 'queue' : unauthorized(user, queue)))
  }

  /** Outcomes in the port's terms. */
  #told(sender: Sender): Sender {
    return {
      name: sender.name,
      get credit() {
        return sender.credit
      },
      send: (message, onOutcome, options) =>
        sender.send(
          this.#identified(message, options),
          onOutcome && (outcome => onOutcome(translatedOutcome(outcome)))
        ),
      close: error => sender.close(error)
    }
  }

  /** What the plugin hands on may have a property of its sender's, which the broker would take for an id once more. */
  #identified(message: Message, options: SendOptions | undefined): Message {
    if (options?.dedupId !== undefined) return withDuplicateId(message, options.dedupId)
    return this.#user === undefined ? withDuplicateId(message, undefined) : message
  }

  #connectService(): Promise<ClientSession> {
    if (this.#closed) throw new AmqpError(CONDITIONS.connectionForced, 'the connection is closed')
    return (this.#service ??= this.#parts.connectService())
  }
}
