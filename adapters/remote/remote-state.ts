// Queues, routes and stores that the broker of another process keeps.
// Rule: each call is one request, and resolves with its answer.

import type { KeyedStore, Message, Queues, Route, Routes } from '../../plugin/host.js'
import { EncodedMessage, encodeMessage } from '../rhea/message.js'
import type { ManagementClient } from './management-client.js'

export function remoteQueues(management: ManagementClient): Queues {
  return {
    create: async name => void (await management.request('queues.create', { name })),
    delete: async name => void (await management.request('queues.delete', { name })),
    closeConsumers: async name => void (await management.request('queues.closeConsumers', { name })),
    list: prefix => management.json<readonly string[]>('queues.list', { prefix }),
    unattended: prefix => management.json<readonly string[]>('queues.unattended', { prefix }),
    limit: async (prefix, { maxMessages, maxBytes }) =>
      void (await management.request('queues.limit', { prefix, maxMessages, maxBytes })),
    dropped: prefix => management.json<number>('queues.dropped', { prefix })
  }
}

export function remoteRoutes(management: ManagementClient): Routes {
  return {
    add: async route => void (await management.request('routes.add', { ...route })),
    remove: async route => void (await management.request('routes.remove', { ...route })),
    list: queue => management.json<readonly Route[]>('routes.list', { queue })
  }
}

export class RemoteStore implements KeyedStore {
  readonly #management: ManagementClient
  readonly #args: { readonly store: string }

  constructor(management: ManagementClient, name: string) {
    this.#management = management
    this.#args = { store: name }
  }

  async put(key: string, value: Message): Promise<void> {
    const sections = [Buffer.from(key), encodeMessage(value).bytes]
    await this.#management.request('store.put', this.#args, sections)
  }

  async get(key: string): Promise<Message | undefined> {
    const [value] = await this.#management.request('store.get', this.#args, [Buffer.from(key)])
    return value === undefined ? undefined : new EncodedMessage(value)
  }

  async delete(key: string): Promise<void> {
    await this.#management.request('store.delete', this.#args, [Buffer.from(key)])
  }

  async *entries(prefix = '', after?: string): AsyncGenerator<readonly [key: string, value: Message]> {
    let last: readonly Uint8Array[] = after === undefined ? [] : [Buffer.from(after)]
    for (;;) {
      const sections = [Buffer.from(prefix), ...last]
      const page = await this.#management.request('store.entries', this.#args, sections)
      if (page.length === 0) return
      for (let i = 0; i + 1 < page.length; i += 2) {
        const [key, value] = page.slice(i, i + 2)
        if (key === undefined || value === undefined) return
        yield [Buffer.from(key).toString('utf8'), new EncodedMessage(value)]
        last = [key]
      }
    }
  }
}
