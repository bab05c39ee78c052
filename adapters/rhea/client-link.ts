// What senders and receivers of ours share: how they attach, and how they end.
// Rule: a link is open when the host has attached a real terminus, and a refusal is the error of the detach that follows; it is told
// once that it ended, and not when this side wished it.

import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { LinkClosed, LinkError } from '../../plugin/host.js'
import { rheaTypes } from './rhea.js'
import type { RheaAttach, RheaConnection, RheaFlow, RheaLink, RheaSession } from './rhea.js'
import { terminusOf } from './server-link.js'

export interface AttachOptions {
  readonly name: string
  readonly address: string | undefined
  readonly dynamic: boolean
  readonly capabilities: readonly string[]
  readonly distributionMode: string | undefined
  /** a condition on messages, in the syntax of JMS; undefined: all */
  readonly selector?: string | undefined
}

/** As brokers know it. */
const SELECTOR = 'apache.org:selector-filter:string'

export interface ClientLink {
  readonly end: ClientEnd
  attached(attach: RheaAttach): void
  flow(fields: RheaFlow): void
  /** Something may have changed that limits what can be sent. */
  wake(): void
}

/** Writes the attach. Throws AmqpError where a link of this name and role is there: two would end the whole connection. */
export function attachLink(
  session: RheaSession,
  role: 'sender' | 'receiver',
  { name, address, dynamic, capabilities, distributionMode, selector }: AttachOptions
): RheaLink {
  // rhea keys links by name alone; a sender and a receiver may share one
  const key = role === 'sender' ? `<${name}` : `>${name}`
  if (session.links[key] !== undefined) {
    throw new AmqpError(CONDITIONS.notAllowed, `a ${role} named ${name} is attached to this session`)
  }
  const link = role === 'sender' ? session.create_sender(key) : session.create_receiver(key)
  const terminus: Record<string, unknown> = {}
  if (address !== undefined) terminus['address'] = address
  if (dynamic) terminus['dynamic'] = true
  if (capabilities.length > 0) terminus['capabilities'] = capabilities
  if (distributionMode !== undefined) terminus['distribution_mode'] = distributionMode
  if (selector !== undefined) {
    const condition = rheaTypes.described(rheaTypes.wrap_symbol(SELECTOR), rheaTypes.wrap_string(selector))
    terminus['filter'] = { 'jms-selector': condition }
  }
  link.local.attach.name = name
  link.local.attach.snd_settle_mode = 0
  link.local.attach.rcv_settle_mode = 0
  link.set_source(role === 'sender' ? {} : terminus)
  link.set_target(role === 'sender' ? terminus : {})
  link.state.open()
  return link
}

/** Where a host says that it has refused: no terminus on its side. */
export function hasTerminus(attach: RheaAttach): boolean {
  // the host's role: true is a receiver
  return terminusOf(attach.role ? attach.target : attach.source) !== undefined
}

export class ClientEnd {
  readonly #link: RheaLink
  readonly #connection: RheaConnection
  readonly #onClosed: ((closed: LinkClosed) => void) | undefined
  readonly #opened: Promise<void>
  readonly #gone: Promise<void>
  #phase: 'attaching' | 'open' | 'closing' | 'ended' = 'attaching'
  #resolve: () => void = () => undefined
  #reject: (error: AmqpError) => void = () => undefined
  #onGone: () => void = () => undefined

  constructor(
    link: RheaLink,
    connection: RheaConnection,
    onClosed: ((closed: LinkClosed) => void) | undefined
  ) {
    this.#link = link
    this.#connection = connection
    this.#onClosed = onClosed
    this.#gone = new Promise(resolve => (this.#onGone = resolve))
    this.#opened = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  get open(): boolean {
    return this.#phase === 'open'
  }

  /** Resolves when the link is open. Rejects with AmqpError. */
  async attached(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => {
      this.#reject(
        new AmqpError(CONDITIONS.connectionForced, `no answer to an attach within ${timeoutMs} ms`)
      )
      this.#phase = 'closing'
      this.#detach(undefined)
    }, timeoutMs)
    await this.#opened.finally(() => clearTimeout(timer))
  }

  /** The host attached. */
  opened(): void {
    if (this.#phase !== 'attaching') return
    this.#phase = 'open'
    this.#resolve()
  }

  /** The host detached. */
  detached(error: LinkError | undefined): void {
    if (this.#phase === 'attaching') {
      const { condition, description } = error ?? {
        condition: CONDITIONS.detachForced,
        description: 'the host refused the link'
      }
      this.#reject(new AmqpError(condition, description))
    }
    this.#ended(error === undefined ? { cause: 'clean' } : { cause: 'error', error })
  }

  /** The session or the connection went. */
  lost(error: LinkError | undefined): void {
    this.#reject(
      new AmqpError(
        error?.condition ?? CONDITIONS.connectionForced,
        error?.description ?? 'the connection is gone'
      )
    )
    this.#ended(error === undefined ? { cause: 'lost' } : { cause: 'lost', error })
  }

  /** Its session is about to end, as this side wished. */
  silence(): void {
    if (this.#phase === 'open') this.#phase = 'closing'
  }

  /** Detaches; resolves when the host has answered, or is gone. */
  async close(error: LinkError | undefined): Promise<void> {
    if (this.#phase === 'open') {
      this.#phase = 'closing'
      this.#detach(error)
    }
    await this.#gone
  }

  #detach(error: LinkError | undefined): void {
    this.#connection._process() // what was sent, or settled, goes out first
    this.#link.close(error)
  }

  #ended(closed: LinkClosed): void {
    const told = this.#phase === 'open'
    this.#phase = 'ended'
    if (told) this.#onClosed?.(closed)
    this.#onGone()
  }
}
