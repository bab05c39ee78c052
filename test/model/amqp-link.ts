// One connection of a pure AMQP client with a durable session: requests to the Subscription Service, and its queue.
// Rule: as a gateway does, it lets go of its queue before it answers an order to end.

import { randomUUID } from 'node:crypto'
import type { EmbeddedSpace } from '../../adapters/embedded/index.js'
import type { Delivery, Message, Receiver, Sender } from '../../plugin/host.js'
import { publishAddress } from '../../plugin/messages/addresses.js'
import { decodeSubscriptions } from '../../plugin/messages/subscriptions.js'
import type { Qos } from '../fixtures/mqtt-bytes.js'
import { ServiceClient } from '../fixtures/service-client.js'
import { possibleSubscriptions, surelyHas } from './delivery-rules.js'
import type { Asked, Attempt, EndReason, Publication, Receipt } from './history.js'
import type { Link, LinkOptions } from './link.js'
import { Outstanding } from './outstanding.js'
import type { World } from './world.js'

/** Deliveries at once. */
const WINDOW = 4
const ACCEPTED = 'accepted'

type AmqpConnection = Awaited<ReturnType<EmbeddedSpace['connect']>>
type Unsettled = readonly [Receipt, Delivery]

export class AmqpLink implements Link {
  readonly #options: LinkOptions
  readonly #amqp: AmqpConnection
  readonly #client: ServiceClient
  readonly #outstanding = new Outstanding()
  readonly #unsettled: Unsettled[] = []
  #attempt: Attempt
  #receiver: Receiver | undefined
  #sender: Promise<Sender> | undefined
  #accepted = false
  #ended = false
  #sends = 0
  #manner: LinkOptions['manner']

  private constructor(amqp: AmqpConnection, options: LinkOptions) {
    const { history, clientId, clean, manner } = options
    this.#options = options
    this.#manner = manner
    this.#amqp = amqp
    this.#attempt = history.connect(clientId, 'amqp', clean)
    this.#client = new ServiceClient(amqp, clientId, randomUUID(), true)
    this.#client.onOrder = () => {
      if (this.connection.ending === undefined) this.#fault('an order to end for no reason')
      this.#obey().catch((error: unknown) => this.#failed(error))
    }
    void this.#outstanding.add('opened')
    this.#open().catch((error: unknown) => this.#failed(error))
  }

  static async open(world: World, options: LinkOptions): Promise<AmqpLink> {
    const { space, connected } = await world.host()
    const amqp = await space.connect('service')
    options.onOpening()
    const link = new AmqpLink(amqp, options)
    connected.add(link)
    return link
  }

  get connection(): Attempt['connection'] {
    return this.#attempt.connection
  }

  get usable(): boolean {
    return this.#accepted && this.connection.ending === undefined && !this.#ended
  }

  get opened(): Promise<void> {
    return this.#outstanding.over('opened')
  }

  get gone(): Promise<void> {
    return this.#outstanding.ended
  }

  get waiting(): string | undefined {
    return this.#ended ? undefined : this.#outstanding.names
  }

  async publish(publication: Publication): Promise<void> {
    const name = `outcome ${++this.#sends}`
    const answered = this.#outstanding.add(name)
    this.#sender ??= this.#amqp.openSender({ address: undefined })
    try {
      const sender = await this.#sender
      if (!this.usable) return
      sender.send(messageOf(publication), ({ type }) => {
        if (type === ACCEPTED && !this.#ended) publication.end = this.#options.history.now()
        else if (this.usable) this.#fault(`${type} for a publication`)
        this.#outstanding.answer(name)
      })
    } catch (error) {
      this.#failed(error)
    }
    await answered
  }

  subscribe(filters: readonly (readonly [string, 0 | 1])[]): Promise<void> {
    // this client grants itself what it gets: a queue has no QoS
    const changes = filters.map(([filter]) => [filter, 1] as const)
    return this.#request(changes, () => this.#client.subscribe(...filters.map(([filter]) => filter)))
  }

  unsubscribe(filters: readonly string[]): Promise<void> {
    const changes = filters.map(filter => [filter, undefined] as const)
    return this.#request(changes, () => this.#client.unsubscribe(...filters))
  }

  acknowledge(): void {
    for (const each of this.#unsettled.splice(0)) this.#settle(each)
  }

  async settle(): Promise<void> {
    this.#manner = 'at once'
    this.acknowledge()
    while (!this.#ended && this.#outstanding.size > 0) await this.#outstanding.quiet()
  }

  async disconnect(): Promise<void> {
    this.#options.history.ending(this.connection, 'disconnect')
    await this.#letGo()
    await this.#close()
  }

  async remove(): Promise<void> {
    this.#options.history.ending(this.connection, 'disconnect')
    const outcome = await this.#client.close({ end: true })
    if (outcome !== ACCEPTED) this.#fault(`${outcome} for the last CLOSE`)
    await this.#letGo()
    await this.#close()
  }

  cut(reason: EndReason): void {
    if (this.#ended) return
    this.#options.history.ending(this.connection, reason)
    this.#end()
    if (reason === 'vanish') this.#amqp.lose()
    void this.#client.end()
  }

  async #obey(): Promise<void> {
    await this.#letGo()
    await this.#client.answer(this.#client.connection)
    await this.#close()
  }

  async #open(): Promise<void> {
    const { history, clientId, clean } = this.#options
    await this.#client.attachControl()
    if (clean) {
      if (!(await this.#well('CLOSE', this.#client.close()))) return this.#end()
      history.accepted(this.#attempt, false)
      history.ended(this.connection)
      this.#attempt = history.connect(clientId, 'amqp', false)
    }
    if (!(await this.#well('LIST', this.#client.list()))) return this.#end()
    this.#onListed(await this.#client.at(0))
    const receiver = await this.#amqp.openReceiver({
      ...{ address: publishAddress(clientId), window: WINDOW, exclusive: true },
      onDelivery: delivery => this.#onDelivery(delivery),
      onClosed: ({ error }) => {
        if (this.usable) this.#fault(`its receiver was closed: ${error?.condition}`)
      }
    })
    this.#receiver = receiver
    if (this.#ended) await receiver.close()
    this.#accepted = true
    this.#outstanding.answer('opened')
  }

  #onListed(message: Message): void {
    const reply = decodeSubscriptions(message)
    if (reply === undefined) return this.#fault('no AMQP_SUBSCRIPTIONS')
    const { history } = this.#options
    const session = history.accepted(this.#attempt, reply.sessionPresent)
    const [now, told] = [history.now(), new Set(reply.filters.keys())]
    const filters = new Set(session.changes.map(({ filter }) => filter))
    for (const filter of filters) {
      // a filter as a topic: it covers itself
      const own = { ...session, changes: session.changes.filter(change => change.filter === filter) }
      const { start } = this.connection
      if (surelyHas(session, filter) && !told.has(filter)) this.#fault(`the list has no ${filter}`)
      if (possibleSubscriptions(own, filter, start, now).length === 0 && told.has(filter))
        this.#fault(`the list has ${filter}`)
    }
    for (const filter of told)
      if (!filters.has(filter)) this.#fault(`the list has ${filter}, never asked for`)
  }

  async #request(filters: readonly Asked[], send: () => Promise<string>): Promise<void> {
    const { history } = this.#options
    const changes = history.change(this.connection, filters)
    const name = `answer ${++this.#sends}`
    const answered = this.#outstanding.add(name)
    if (await this.#well('a request', send())) for (const change of changes) change.end = history.now()
    this.#outstanding.answer(name)
    await answered
  }

  /** True where it was accepted; what goes wrong while the client leaves is no fault. */
  async #well(what: string, answer: Promise<string>): Promise<boolean> {
    const outcome = await answer
    if (this.#ended) return false
    if (outcome !== ACCEPTED && this.connection.ending === undefined) this.#fault(`${outcome} for ${what}`)
    return outcome === ACCEPTED
  }

  #onDelivery(delivery: Delivery): void {
    const { session } = this.connection
    if (this.#ended || session === undefined) return
    const { message, deliveryCount } = delivery
    const { annotations, properties, durable } = message
    const payload = payloadOf(message)
    const published = annotations.get('x-opt-mqtt-dup') === true ? 1 : 0
    const receipt: Receipt = {
      ...{ at: this.#options.history.now(), connection: this.connection, packetId: undefined },
      topic: String(annotations.get('x-opt-ORIG-ADDRESS') ?? properties.to),
      ...{ number: payload === '' ? undefined : Number(payload), qos: (durable ? 1 : 0) satisfies Qos },
      ...{ dup: deliveryCount - published > 0, retained: annotations.get('x-opt-mqtt-retained') === true },
      ...{ acknowledgedAt: undefined, surelyAcknowledgedAt: undefined }
    }
    session.receipts.push(receipt)
    if (this.#manner === 'at once') this.#settle([receipt, delivery])
    else this.#unsettled.push([receipt, delivery])
    this.#options.onReceipt()
  }

  #settle([receipt, delivery]: Unsettled): void {
    if (this.#ended) return
    receipt.acknowledgedAt = this.#options.history.now()
    receipt.surelyAcknowledgedAt = receipt.acknowledgedAt
    delivery.settle({ type: 'accepted' })
  }

  async #letGo(): Promise<void> {
    const failed = { type: 'modified', deliveryFailed: true, undeliverableHere: false } as const
    for (const [, delivery] of this.#unsettled.splice(0)) delivery.settle(failed)
    this.#end()
    await this.#receiver?.close()
  }

  async #close(): Promise<void> {
    await this.#client.end()
    await this.#amqp.close()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#options.history.ended(this.connection)
    this.#outstanding.end()
  }

  #failed(error: unknown): void {
    if (this.connection.ending === undefined) this.#fault(String(error))
    this.#end()
  }

  #fault(text: string): void {
    this.#options.history.fault(`${this.connection.name}: ${text}`)
  }
}

const messageOf = ({ topic, number, empty, retain, qos }: Publication): Message => ({
  durable: qos > 0,
  deliveryCount: 0,
  annotations: new Map(retain ? [['x-opt-retain-message', true]] : []),
  properties: { to: topic },
  applicationProperties: new Map(),
  body: { type: 'data', sections: [Buffer.from(empty ? '' : String(number))] }
})

const payloadOf = ({ body }: Message): string =>
  body.type === 'data' ? Buffer.concat([...body.sections]).toString() : ''
