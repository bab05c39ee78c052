// What we ask of the broker's management, operation by operation.
// Rule: nothing here decides anything; a result that is text of JSON is parsed, and its fields are those of the broker.

import { setTimeout as sleep } from 'node:timers/promises'
import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import { createQueueRequest, temporaryQueue, type ManagementClient } from './management-client.js'

/** A row of listQueues; numbers come as text. */
export interface QueueRow {
  readonly name: string
  readonly address: string
  readonly durable: string
  readonly routingType: string
  readonly consumerCount: string
  readonly messagesAdded: string
}

/** A row of listAddresses. */
interface AddressRow {
  readonly name: string
  readonly routedMessageCount: string
}

/** A row of listConsumers. */
interface ConsumerRow {
  readonly id: string
  readonly session: string
}

export interface Divert {
  readonly name: string
  readonly 'routing-name': string
  readonly address: string
  readonly 'forwarding-address': string
  readonly 'filter-string'?: string | undefined
  readonly 'routing-type': 'ANYCAST'
}

const PAGE = 1000
/** between looks whether something has ended that the broker is about to end, ms */
const LOOK_AGAIN_MS = 5
/** for consumers to be gone, ms */
const CLOSING_MS = 10_000

export class Broker {
  readonly #management: ManagementClient

  constructor(management: ManagementClient) {
    this.#management = management
  }

  async createQueue(configuration: object): Promise<void> {
    await this.#management.request(createQueueRequest(configuration))
  }

  /** A queue that goes with its consumer; on a topic where `address` is one. */
  createTemporaryQueue(name: string, address?: string): Promise<void> {
    return this.createQueue(temporaryQueue(name, address))
  }

  /**
   * With its messages and its consumers. `withAddress`: and its address, which the broker else removes when nobody has used it for
   * a while.
   */
  async destroyQueue(name: string, withAddress = true): Promise<void> {
    await this.#unlessMissing(this.#do('destroyQueue', name, true, withAddress))
  }

  /** Rejects where there are more consumers than that already. */
  async setMaxConsumers(name: string, maxConsumers: number): Promise<void> {
    await this.#do('updateQueue', JSON.stringify({ name, 'max-consumers': maxConsumers }))
  }

  /** Of a queue; undefined: no such queue. */
  async consumerCount(name: string): Promise<number | undefined> {
    return this.#count(`queue.${name}`, 'getConsumerCount')
  }

  async maxConsumers(name: string): Promise<number | undefined> {
    return this.#count(`queue.${name}`, 'getMaxConsumers')
  }

  /** Since the broker started: what came to the address of a queue of the same name and not into the queue. */
  async keptOut(name: string): Promise<number> {
    const [routed, added] = await Promise.all([
      this.#count(`address.${name}`, 'getRoutedMessageCount'),
      this.#count(`queue.${name}`, 'getMessagesAdded')
    ])
    return (routed ?? 0) - (added ?? 0)
  }

  /** Those whose names begin with `prefix`. */
  async queues(prefix: string): Promise<readonly QueueRow[]> {
    const rows = await this.#rows<QueueRow>('listQueues', 'NAME', 'CONTAINS', prefix)
    return rows.filter(({ name }) => name.startsWith(prefix))
  }

  /** Messages that came to each address whose name begins with `prefix`, since the broker started. */
  async routedMessages(prefix: string): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#rows<AddressRow>('listAddresses', 'NAME', 'CONTAINS', prefix)
    return new Map(rows.map(({ name, routedMessageCount }) => [name, Number(routedMessageCount)]))
  }

  async queueNames(): Promise<readonly string[]> {
    return (await this.#attribute('broker', 'QueueNames')) as readonly string[]
  }

  async createDivert(divert: Divert): Promise<void> {
    await this.#do('createDivert', JSON.stringify(divert))
    // it says that it succeeded where it did nothing
    const forwarding = await this.#attribute(`divert.${divert.name}`, 'ForwardingAddress').catch(
      () => undefined
    )
    if (forwarding === divert['forwarding-address']) return
    throw new AmqpError(CONDITIONS.internalError, `the broker did not make the divert ${divert.name}`)
  }

  async destroyDivert(name: string): Promise<void> {
    await this.#unlessMissing(this.#do('destroyDivert', name))
  }

  async divertNames(): Promise<readonly string[]> {
    return (await this.#attribute('broker', 'DivertNames')) as readonly string[]
  }

  /** Closes them; resolves when they are gone, and what they had not settled is back. */
  async closeConsumers(queue: string): Promise<void> {
    const closed = await this.#consumers(queue)
    const close = ({ id, session }: ConsumerRow): Promise<unknown> =>
      this.#do('closeConsumerWithID', session, id)
    await Promise.all(closed.map(close))
    // the broker says so before it has done it
    const isClosed = (row: ConsumerRow): boolean =>
      closed.some(({ id, session }) => row.id === id && row.session === session)
    const end = Date.now() + CLOSING_MS
    while ((await this.#consumers(queue)).some(isClosed)) {
      if (Date.now() > end)
        throw new AmqpError(CONDITIONS.internalError, `the broker does not close the consumers of ${queue}`)
      await sleep(LOOK_AGAIN_MS)
    }
  }

  async setAddressSettings(match: string, settings: object): Promise<void> {
    await this.#do('addAddressSettings', match, JSON.stringify(settings))
  }

  #do(operation: string, ...args: readonly unknown[]): Promise<unknown> {
    return this.#management.request({ resource: 'broker', operation, args })
  }

  #attribute(resource: string, attribute: string): Promise<unknown> {
    return this.#management.request({ resource, attribute })
  }

  #consumers(queue: string): Promise<ConsumerRow[]> {
    return this.#rows<ConsumerRow>('listConsumers', 'QUEUE', 'EQUALS', queue)
  }

  /** undefined: no such resource */
  async #count(resource: string, operation: string): Promise<number | undefined> {
    try {
      return Number(await this.#management.request({ resource, operation, args: [] }))
    } catch (error) {
      if (error instanceof AmqpError && error.condition === CONDITIONS.notFound) return undefined
      throw error
    }
  }

  async #rows<T>(operation: string, field: string, how: string, value: string): Promise<T[]> {
    const rows: T[] = []
    for (let page = 1; ; page++) {
      const filter = JSON.stringify({ field, operation: how, value })
      const text = await this.#do(operation, filter, page, PAGE)
      const { data, count } = JSON.parse(String(text)) as {
        readonly data: readonly T[]
        readonly count: number
      }
      rows.push(...data)
      if (data.length === 0 || rows.length >= count) return rows
    }
  }

  async #unlessMissing(attempt: Promise<unknown>): Promise<void> {
    try {
      await attempt
    } catch (error) {
      if (!(error instanceof AmqpError) || error.condition !== CONDITIONS.notFound) throw error
    }
  }
}
