// Addresses that the plugin sends from: each receiver that a client opens under a served prefix is a link of its own to the server.
// Rule: of two prefixes that one address could begin with, one is served at a time; when its server goes, so do its links.

import { AmqpError } from '../../../plugin/errors.js'
import type { LinkError, ServedReader } from '../../../plugin/host.js'
import type { CoreReceiverOptions, Identity } from '../listener/bridge.js'
import { ReaderLink } from './reader-link.js'
import type { Serving } from './served-addresses.js'

/** A promise: the server, somewhere else, has decided when it resolves. */
export type OnReader = (reader: ServedReader) => void | Promise<void>

interface Server {
  readonly prefix: string
  readonly onReader: OnReader
  readonly links: Set<ReaderLink>
}

const DETACHED: LinkError = {
  condition: 'amqp:link:detach-forced',
  description: 'the server detached the link'
}

export class ServedReaders {
  readonly #servers = new Map<string, Server>()

  has(address: string): boolean {
    return this.#serverOf(address) !== undefined
  }

  /** Throws `amqp:resource-locked`. */
  serve(prefix: string, onReader: OnReader): Serving {
    for (const served of this.#servers.keys()) {
      if (served.startsWith(prefix) || prefix.startsWith(served))
        throw new AmqpError('amqp:resource-locked', `${served} is served already`)
    }
    const server = { prefix, onReader, links: new Set<ReaderLink>() }
    this.#servers.set(prefix, server)
    const end = (each: (link: ReaderLink) => void): void => {
      if (this.#servers.get(prefix) === server) this.#servers.delete(prefix)
      for (const link of [...server.links]) each(link)
    }
    return {
      close: async () => end(link => link.detach(DETACHED)),
      orphan: () => end(link => link.orphan(DETACHED))
    }
  }

  /** Throws what the server refuses the link with. `onEnd`: the link is over, for whatever reason. */
  open(
    address: string,
    options: CoreReceiverOptions,
    user: Identity,
    onEnd: () => void
  ): { readonly link: ReaderLink; readonly decided: Promise<void> | undefined } {
    const server = this.#serverOf(address)
    if (server === undefined) throw new AmqpError('amqp:not-found', `nobody serves ${address}`)
    const link: ReaderLink = new ReaderLink(address, options, user, () => {
      server.links.delete(link)
      onEnd()
    })
    server.links.add(link)
    return { link, decided: link.offerTo(server.onReader) }
  }

  #serverOf(address: string): Server | undefined {
    for (const server of this.#servers.values()) if (address.startsWith(server.prefix)) return server
    return undefined
  }
}
