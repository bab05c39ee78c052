// What the two kinds of a server's links share: the attach that came, its answer, and the end.
// Rule: an attach is answered when its owner has decided, with the terminus the link really has; a refused one with a null terminus and
// a detach that says why (AMQP 1.0 part 2, section 2.6.3). rhea alone answers at once, before anyone can know.

import type { HeldBytes } from './held-bytes.js'
import type { LinkClosed, LinkError } from '../../plugin/host.js'
import type {
  Field,
  RheaAttach,
  RheaConnection,
  RheaLink,
  RheaSession,
  RheaTerminus,
  RheaTyped
} from './rhea.js'

/** How a link serves its connection, and what it must know of it. */
export interface LinkContext {
  readonly connection: RheaConnection
  readonly session: RheaSession
  /** Writes whole frames, behind all that rhea has written. */
  readonly write: (bytes: Buffer) => void
  /** bytes */
  readonly maxMessageSize: number
  /** Nothing can be written to the client at the moment. */
  congested(): boolean
  readonly held: HeldBytes
  /** of the session's transfers and deliveries, and of each sender's count */
  readonly firstId: number
}

/** What a client asked for when it attached. */
export interface AttachRequest {
  readonly name: string
  /** of the terminus on our side; undefined: none, or one we are to make up (`dynamic`) */
  readonly address: string | undefined
  readonly dynamic: boolean
  readonly capabilities: readonly string[]
  /** of a source: `move` or `copy` */
  readonly distributionMode: string | undefined
}

/** A source or target as it came, once the attach has been through rhea; undefined: there is none. */
export function terminusOf(field: unknown): RheaTerminus | undefined {
  const terminus = field as { readonly value?: unknown } | null | undefined
  return Array.isArray(terminus?.value) ? (terminus as unknown as RheaTerminus) : undefined
}

/** `remote`: the terminus on our side. */
export function attachRequest(name: string, remote: RheaTerminus | undefined): AttachRequest {
  return {
    name,
    address: typeof remote?.address === 'string' ? remote.address : undefined,
    dynamic: remote?.dynamic === true,
    capabilities: symbols(remote?.capabilities),
    distributionMode: remote?.distribution_mode ?? undefined
  }
}

function symbols(field: Field<string | readonly string[]>): readonly string[] {
  if (field === null || field === undefined) return []
  return typeof field === 'string' ? [field] : field
}

/** Capabilities that a terminus of ours can have. */
const OFFERED: readonly string[] = ['queue', 'topic']

/** The fields of a terminus that is answered as it was asked for; filters are left out, since we evaluate none. */
export function echoTerminus(terminus: RheaTerminus | undefined, address?: string): object {
  const fields: Record<string, unknown> = { address: address ?? terminus?.address ?? undefined }
  if (terminus?.dynamic === true) fields['dynamic'] = true
  const capabilities = symbols(terminus?.capabilities).filter(name => OFFERED.includes(name))
  if (capabilities.length > 0) fields['capabilities'] = capabilities
  return fields
}

/** Adds what only a source has. */
export function echoSource(source: RheaTerminus | undefined, address?: string): object {
  const fields: Record<string, RheaTyped | string> = {}
  if (source?.distribution_mode === 'copy') fields['distribution_mode'] = 'copy'
  if (source?.default_outcome) fields['default_outcome'] = source.default_outcome
  return { ...echoTerminus(source, address), ...fields }
}

/** The attach that waits for its owner, and how the link ends. */
export class LinkEnd {
  readonly link: RheaLink
  readonly #context: LinkContext
  #held = true
  #closed = false
  #byClient: LinkClosed | undefined

  constructor(context: LinkContext, link: RheaLink) {
    this.#context = context
    this.link = link
    link._process = () => {} // until answered: nothing of this link goes out
  }

  /** Ended, by whichever side. */
  get closed(): boolean {
    return this.#closed
  }

  /** How the client ended it, or its session; undefined: it did not. */
  get byClient(): LinkClosed | undefined {
    return this.#byClient
  }

  get remote(): RheaAttach {
    return this.link.remote.attach ?? this.link.local.attach
  }

  get source(): RheaTerminus | undefined {
    return terminusOf(this.remote.source)
  }

  get target(): RheaTerminus | undefined {
    return terminusOf(this.remote.target)
  }

  /** Lets the attach go out. */
  answer(): void {
    if (!this.#held) return
    this.#held = false
    Reflect.deleteProperty(this.link, '_process')
    this.#context.connection._process() // at once: nothing of the link may go out before its attach
  }

  /** Detaches; whoever had answered by then. */
  detach(error?: LinkError): void {
    if (this.#closed) return
    this.#closed = true
    this.link.close(error)
    this.answer()
    this.#context.connection._register()
  }

  /** The client detached, or its session or connection went; false: it had ended before. */
  ended(how: LinkClosed): boolean {
    const first = !this.#closed
    this.#byClient = how
    this.#closed = true
    this.answer()
    return first
  }
}

/** Tells a link's owner, once, how it ended. `lost`: with its whole connection. */
export type OnClosed = (closed: LinkClosed) => void
