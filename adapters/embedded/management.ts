// What another process may ask of a space at `$management`: the port's calls that are no links.
// Rule: only connections of the service get here; requests begin in the order in which they came, so that writes to one key keep theirs.

import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { AddressSpace, AmqpValue, Credentials, Message, Route } from '../../plugin/host.js'
import type { KeyedValues } from './keyed-values.js'
import { makeFailure, makeReply, readRequest, type Operation, type Request } from './management-protocol.js'
import { EncodedMessage, encodeMessage } from '../rhea/message.js'
import { EmbeddedPrincipal } from './users.js'

/** Values in one page of entries, about, bytes. */
const PAGE_BYTES = 1 << 20

/** What management does it with. */
export interface ManagedSpace extends Omit<AddressSpace, 'store'> {
  store(name: string): Promise<KeyedValues>
}

type Handler = (request: Request) => Promise<unknown>

export class Management {
  readonly #space: ManagedSpace
  readonly #sources = new Map<string, () => Promise<void>>()
  readonly #operations: Readonly<Record<Operation, Handler>>

  constructor(space: ManagedSpace) {
    this.#space = space
    this.#operations = this.#makeOperations()
  }

  /** Never rejects. */
  async handle(message: Message): Promise<Message> {
    const request = readRequest(message)
    try {
      const handler = Object.hasOwn(this.#operations, request.operation)
        ? this.#operations[request.operation as Operation]
        : undefined
      if (handler === undefined)
        throw new AmqpError(CONDITIONS.notImplemented, `no operation ${request.operation}`)
      return makeReply(request, await handler(request))
    } catch (error) {
      return makeFailure(request, error)
    }
  }

  /** `finish` is what `sources.finish` with this name does. */
  addSource(name: string, finish: () => Promise<void>): void {
    this.#sources.set(name, finish)
  }

  removeSource(name: string): void {
    this.#sources.delete(name)
  }

  #makeOperations(): Readonly<Record<Operation, Handler>> {
    const space = this.#space
    const { queues, routes } = space
    const route = (request: Request): Route => {
      const only = optional(request, 'only')
      if (only !== undefined && only !== 'retained')
        throw new AmqpError(CONDITIONS.notImplemented, `no routes for ${only} only`)
      return { filter: text(request, 'filter'), queue: text(request, 'queue'), only }
    }
    return {
      describe: async () => {
        const { name, type, capabilities, addresses } = space
        return { name, type, capabilities, addresses }
      },
      authenticate: request => this.#authenticate(request),
      'queues.create': request => queues.create(text(request, 'name')),
      'queues.delete': request => queues.delete(text(request, 'name')),
      'queues.closeConsumers': request => queues.closeConsumers(text(request, 'name')),
      'queues.list': request => queues.list(text(request, 'prefix')),
      'queues.unattended': request => queues.unattended(text(request, 'prefix')),
      'queues.limit': request => {
        const limits = { maxMessages: number(request, 'maxMessages'), maxBytes: number(request, 'maxBytes') }
        return queues.limit(text(request, 'prefix'), limits)
      },
      'queues.dropped': request => queues.dropped(text(request, 'prefix')),
      'routes.add': request => routes.add(route(request)),
      'routes.remove': request => routes.remove(route(request)),
      'routes.list': request => routes.list(optional(request, 'queue')),
      'store.put': async request =>
        (await this.#store(request)).put(key(request), new EncodedMessage(bytes(request, 1))),
      'store.get': async request => {
        const value = await (await this.#store(request)).get(key(request))
        return value === undefined ? [] : [encodeMessage(value).bytes]
      },
      'store.delete': async request => (await this.#store(request)).delete(key(request)),
      'store.entries': async request =>
        (await this.#store(request)).page(key(request), keyAfter(request), PAGE_BYTES),
      'sources.finish': async request => this.#sources.get(text(request, 'name'))?.()
    }
  }

  #store(request: Request): Promise<KeyedValues> {
    return this.#space.store(text(request, 'store'))
  }

  async #authenticate(request: Request): Promise<unknown> {
    const credentials: Credentials =
      text(request, 'mechanism') === 'ANONYMOUS'
        ? { mechanism: 'ANONYMOUS' }
        : { mechanism: 'PLAIN', username: text(request, 'username'), password: bytes(request, 0) }
    const answer = await this.#space.authenticate(credentials)
    if (!('principal' in answer)) return answer
    const { principal } = answer
    return principal instanceof EmbeddedPrincipal ? { rights: principal.rights } : { refused: 'unavailable' }
  }
}

function optional({ args }: Request, name: string): string | undefined {
  const value: AmqpValue | undefined = args.get(name)
  return typeof value === 'string' ? value : undefined
}

function text(request: Request, name: string): string {
  const value = optional(request, name)
  if (value === undefined)
    throw new AmqpError(CONDITIONS.decodeError, `expected the property ${name}, a string`)
  return value
}

function number({ args }: Request, name: string): number {
  const value = args.get(name)
  if (typeof value === 'number' && value >= 0) return value
  if (typeof value === 'bigint' && value >= 0) return Number(value)
  throw new AmqpError(CONDITIONS.decodeError, `expected the property ${name}, a number from 0`)
}

function bytes({ sections }: Request, index: number): Uint8Array {
  const section = sections[index]
  if (section === undefined) throw new AmqpError(CONDITIONS.decodeError, `expected data section ${index}`)
  return section
}

/** Keys are longer than what properties should carry. */
const key = (request: Request): string => Buffer.from(bytes(request, 0)).toString('utf8')

const keyAfter = (request: Request): string | undefined =>
  request.sections.length > 1 ? Buffer.from(bytes(request, 1)).toString('utf8') : undefined
