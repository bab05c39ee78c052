// Users of a space, as the configuration names them, and their rights.
// Rule: a wrong password takes as long as a wrong name; rights are about topics, never about addresses that the plugin owns.

import { createHash, timingSafeEqual } from 'node:crypto'
import type { Authentication, Credentials, Principal } from '../../plugin/host.js'
import { covers, isValidTopicFilter, matches } from '../../plugin/mqtt/topic.js'

export interface User {
  readonly name: string
  /** undefined: cannot log in with a password */
  readonly password?: string | undefined
  /** topic filters; undefined: all topics */
  readonly send?: readonly string[] | undefined
  /** topic filters; undefined: all topics */
  readonly receive?: readonly string[] | undefined
  /** client ids, with `*` at the end for any ending; undefined: all */
  readonly clientIds?: readonly string[] | undefined
}

export interface ServiceUser {
  readonly name: string
  readonly password: string
}

export interface UsersOptions {
  /** the plugin in another process; undefined: there is none */
  readonly service?: ServiceUser | undefined
  readonly users: readonly User[]
  /** who logs in as nobody may do everything, or what the user `anonymous` may do */
  readonly anonymous: boolean
}

/** The name of those who did not say one. */
const ANONYMOUS = 'anonymous'

export class EmbeddedPrincipal implements Principal {
  readonly name: string
  readonly #send: readonly string[] | undefined
  readonly #receive: readonly string[] | undefined
  readonly #clientIds: readonly string[] | undefined

  constructor({ name, send, receive, clientIds }: User) {
    this.name = name
    this.#send = unlessAll(send, '#')
    this.#receive = unlessAll(receive, '#')
    this.#clientIds = unlessAll(clientIds, '*')
  }

  /** as data, for whoever cannot ask here */
  get rights(): User {
    return {
      name: this.name,
      send: this.#send,
      receive: this.#receive,
      clientIds: this.#clientIds
    }
  }

  /** may send to every topic: nobody need ask for each */
  get maySendAll(): boolean {
    return this.#send === undefined
  }

  maySend(topic: string): boolean {
    if (topic.startsWith('$')) return false
    return this.#send?.some(filter => matches(filter, topic)) ?? true
  }

  mayReceive(filter: string): boolean {
    if (filter.startsWith('$')) return false
    return this.#receive?.some(allowed => covers(allowed, filter)) ?? true
  }

  mayUse(clientId: string): boolean {
    return this.#clientIds?.some(pattern => fits(pattern, clientId)) ?? true
  }
}

export class Users {
  readonly #known = new Map<string, { readonly password: Buffer; readonly principal: EmbeddedPrincipal }>()
  readonly #anonymous: EmbeddedPrincipal | undefined
  readonly #service: { readonly name: string; readonly password: Buffer } | undefined

  /** Throws where a right is no topic filter. */
  constructor({ users, anonymous, service }: UsersOptions) {
    for (const user of users) {
      for (const filter of [...(user.send ?? []), ...(user.receive ?? [])]) {
        if (!isValidTopicFilter(filter)) throw new Error(`user ${user.name}: ${filter} is no topic filter`)
      }
      if (user.password === undefined) continue
      this.#known.set(user.name, { password: digest(user.password), principal: new EmbeddedPrincipal(user) })
    }
    const rights = users.find(({ name }) => name === ANONYMOUS) ?? { name: ANONYMOUS }
    this.#anonymous = anonymous ? new EmbeddedPrincipal(rights) : undefined
    if (service !== undefined) this.#service = { name: service.name, password: digest(service.password) }
  }

  /** These are the credentials of the plugin in another process. */
  isService(credentials: Credentials): boolean {
    const service = this.#service
    if (service === undefined || credentials.mechanism !== 'PLAIN') return false
    const correct = timingSafeEqual(digest(credentials.password), service.password)
    return credentials.username === service.name && correct
  }

  authenticate(credentials: Credentials): Authentication {
    if (credentials.mechanism === 'ANONYMOUS') {
      if (this.#anonymous !== undefined) return { principal: this.#anonymous }
      return { refused: 'not-authorized', description: 'a user name and a password are needed' }
    }
    const user = this.#known.get(credentials.username)
    const password = digest(credentials.password)
    // somebody unknown costs the same comparison
    const correct = timingSafeEqual(password, user?.password ?? digest(password))
    if (user !== undefined && correct) return { principal: user.principal }
    return { refused: 'bad-credentials', description: 'unknown user or wrong password' }
  }
}

function digest(password: string | Uint8Array): Buffer {
  return createHash('sha256').update(password).digest()
}

function unlessAll(allowed: readonly string[] | undefined, all: string): readonly string[] | undefined {
  return allowed?.includes(all) === true ? undefined : allowed
}

function fits(pattern: string, clientId: string): boolean {
  return pattern.endsWith('*') ? clientId.startsWith(pattern.slice(0, -1)) : clientId === pattern
}
