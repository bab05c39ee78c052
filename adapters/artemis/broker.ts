// What we ask of the broker's management, operation by operation.
// Rule: nothing here decides anything; a result that is text of JSON is parsed, and its fields are those of the broker.

import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import { createQueueRequest, temporaryQueue, type ManagementClient } from './management-client.js'

/** A row of listQueues; numbers come as text. */
export interface QueueRow {
  readonly name: string
  readonly address: string
  readonly durable: string
  readonly routingType: string
  readonly maxConsumers: string
  readonly consumerCount: string
  readonly messagesAdded: string
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

  /** With its messages, its consumers, and its address. */
  async destroyQueue(name: string): Promise<void> {
    await this.#unlessMissing(this.#do('destroyQueue', name, true, true))
  }

  /** Rejects where there are more consumers than that already. */
  async setMaxConsumers(name: string, maxConsumers: number): Promise<void> {
    await this.#do('updateQueue', JSON.stringify({ name, 'max-consumers': maxConsumers }))
  }

  /** undefined: no such queue */
  async queue(name: string): Promise<QueueRow | undefined> {
    const [row] = await this.#rows<QueueRow>('listQueues', 'NAME', 'EQUALS', name)
    return row
  }

  /** Those whose names begin with `prefix`. */
  async queues(prefix: string): Promise<readonly QueueRow[]> {
    const rows = await this.#rows<QueueRow>('listQueues', 'NAME', 'CONTAINS', prefix)
    return rows.filter(({ name }) => name.startsWith(prefix))
  }

  async hasQueue(name: string): Promise<boolean> {
    return (await this.queue(name)) !== undefined
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

  /** Closes them; what they had not settled goes back. */
  async closeConsumers(queue: string): Promise<void> {
    const rows = await this.#rows<{ id: string; session: string }>('listConsumers', 'QUEUE', 'EQUALS', queue)
    await Promise.all(rows.map(({ id, session }) => this.#do('closeConsumerWithID', session, id)))
  }

  async setAddressSettings(match: string, settings: object): Promise<void> {
    await this.#do('addAddressSettings', match, JSON.stringify(settings))
  }

  /** Messages that came to an address with a queue, since the broker started. */
  async routedMessages(address: string): Promise<number> {
    return Number(await this.#attribute(`address.${address}`, 'RoutedMessageCount'))
  }

  #do(operation: string, ...args: readonly unknown[]): Promise<unknown> {
    return this.#management.request({ resource: 'broker', operation, args })
  }

  #attribute(resource: string, attribute: string): Promise<unknown> {
    return this.#management.request({ resource, attribute })
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
