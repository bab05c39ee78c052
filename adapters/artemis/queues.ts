// The plugin's durable queues.
// Rule: a queue is an address of its own name, anycast. It takes one consumer, unless one that is not exclusive comes first; the broker
// keeps that number, so whoever holds a queue alone holds it against all gateways.

import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { AmqpConnection, Queues, QueueLimits, Receiver, ReceiverOptions } from '../../plugin/host.js'
import type { Broker, QueueRow } from './broker.js'
import { translating } from './broker-errors.js'
import { isPluginQueue, OWNED_MATCH } from './names.js'
import { routesTo } from './routes.js'

/** For all that the plugin owns: nothing is made by a link, and what cannot be delivered goes nowhere else. */
const SETTINGS = {
  autoCreateQueues: false,
  autoCreateAddresses: false,
  autoDeleteAddresses: true,
  autoDeleteAddressesDelay: 0,
  maxDeliveryAttempts: -1,
  defaultAddressRoutingType: 'ANYCAST',
  // a publication that is copied here must not be refused for its id
  idCacheSize: 0
} as const

const PAGE_BYTES = 10 << 20

export class ArtemisQueues implements Queues {
  readonly #broker: Broker
  /** what the broker's counts differ by where nothing was dropped: they begin apart when it has loaded a queue */
  readonly #base = new Map<string, number>()
  /** of queues that were deleted, by name */
  readonly #droppedBefore = new Map<string, number>()

  constructor(broker: Broker) {
    this.#broker = broker
  }

  /** What the broker must know before anything else. */
  async configure(): Promise<void> {
    await this.#broker.setAddressSettings(OWNED_MATCH, SETTINGS)
  }

  async create(name: string): Promise<void> {
    const routing = { 'routing-type': 'ANYCAST', 'auto-create-address': true } as const
    await this.#broker.createQueue({ name, address: name, durable: true, 'max-consumers': 1, ...routing })
  }

  async delete(name: string): Promise<void> {
    // a route without its queue would swallow what it matches
    for (const divert of await routesTo(this.#broker, name)) await this.#broker.destroyDivert(divert)
    const dropped = this.#since(name, await this.#broker.keptOut(name))
    this.#base.delete(name)
    if (dropped > 0) this.#droppedBefore.set(name, dropped + (this.#droppedBefore.get(name) ?? 0))
    await this.#broker.destroyQueue(name)
  }

  async closeConsumers(name: string): Promise<void> {
    await this.#broker.closeConsumers(name)
  }

  async list(prefix: string): Promise<readonly string[]> {
    return (await this.#rows(prefix)).map(({ name }) => name)
  }

  async unattended(prefix: string): Promise<readonly string[]> {
    const rows = await this.#rows(prefix)
    return rows.filter(({ consumerCount }) => consumerCount === '0').map(({ name }) => name)
  }

  async limit(prefix: string, { maxMessages, maxBytes }: QueueLimits): Promise<void> {
    for (const [name, count] of await this.#keptOut(prefix)) {
      if (!this.#base.has(name)) this.#base.set(name, count)
    }
    const limits = {
      ...SETTINGS,
      addressFullMessagePolicy: 'DROP',
      maxSizeMessages: maxMessages,
      maxSizeBytes: maxBytes,
      // the broker wants no page larger than that
      pageSizeBytes: Math.min(PAGE_BYTES, maxBytes)
    }
    // a name that is all of the prefix is no match of what begins with it
    await this.#broker.setAddressSettings(`${prefix}+`, limits)
    await this.#broker.setAddressSettings(prefix, limits)
  }

  async dropped(prefix: string): Promise<number> {
    let count = 0
    for (const [name, keptOut] of await this.#keptOut(prefix)) count += this.#since(name, keptOut)
    for (const [name, before] of this.#droppedBefore) if (name.startsWith(prefix)) count += before
    return count
  }

  /** Attaches to a queue of the plugin's. */
  async receive(
    connection: AmqpConnection,
    options: ReceiverOptions & { readonly address: string }
  ): Promise<Receiver> {
    const { address, exclusive = false, browse = false, ...rest } = options
    if (browse) return translating(connection.openReceiver({ ...rest, address, browse }))
    if (!exclusive) await this.#share(address)
    const receiver = await translating(connection.openReceiver({ ...rest, address, kind: 'queue' }))
    if (!exclusive) return receiver
    try {
      // nobody changes it under a consumer; each change is written to disk
      if ((await this.#broker.maxConsumers(address)) !== 1) await this.#broker.setMaxConsumers(address, 1)
      return receiver
    } catch (error) {
      await receiver.close()
      throw error
    }
  }

  /** Lets several consume, unless one has the queue alone. */
  async #share(name: string): Promise<void> {
    const [most, count] = await Promise.all([
      this.#broker.maxConsumers(name),
      this.#broker.consumerCount(name)
    ])
    if (most === undefined || count === undefined)
      throw new AmqpError(CONDITIONS.notFound, `no queue ${name}`)
    if (most !== 1) return
    if (count > 0) {
      throw new AmqpError(CONDITIONS.resourceLocked, `${name} has an exclusive consumer`)
    }
    await this.#broker.setMaxConsumers(name, -1)
  }

  async #rows(prefix: string): Promise<readonly QueueRow[]> {
    const rows = await this.#broker.queues(prefix)
    return rows.filter(({ name, durable }) => durable === 'true' && isPluginQueue(name))
  }

  /** What came to the addresses of these queues and not into them, since the broker started. */
  async #keptOut(prefix: string): Promise<readonly (readonly [name: string, count: number])[]> {
    const [rows, routed] = [await this.#rows(prefix), await this.#broker.routedMessages(prefix)]
    return rows.map(({ name, messagesAdded }) => [name, (routed.get(name) ?? 0) - Number(messagesAdded)])
  }

  #since(name: string, keptOut: number): number {
    return Math.max(0, keptOut - (this.#base.get(name) ?? 0))
  }

  /** The broker was started again, and with it its counts. */
  async countAgain(): Promise<void> {
    this.#base.clear()
    for (const [name, count] of await this.#keptOut('$mqtt.')) this.#base.set(name, count)
  }
}
