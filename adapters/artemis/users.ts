// Users of the broker: who gets in, and what each may do.
// Rule: rights are the broker's: a link of the user that attaches is one that it may have. The broker knows no MQTT client ids, so who
// may use which is configured.

import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { AmqpConnection, Authentication, Credentials, Principal } from '../../plugin/host.js'
import type { ClientLogin } from '../rhea/client-connection.js'
import type { ConnectionPool } from '../rhea/connection-pool.js'
import { translating } from './broker-errors.js'

/** User name to client ids, with `*` at the end for any ending; a user that is not named may use all. */
export type ClientIds = Readonly<Record<string, readonly string[]>>

/** Answers of the broker that a principal remembers. */
const MAX_KNOWN = 1000
/** What is left of a SASL frame for name and password. */
const MAX_LOGIN_BYTES = 400

export class ArtemisPrincipal implements Principal {
  readonly name: string
  readonly login: ClientLogin
  readonly #pool: ConnectionPool
  readonly #clientIds: readonly string[] | undefined
  readonly #known = new Map<string, Promise<boolean>>()

  constructor(
    name: string,
    login: ClientLogin,
    pool: ConnectionPool,
    clientIds: readonly string[] | undefined
  ) {
    this.name = name
    this.login = login
    this.#pool = pool
    this.#clientIds = clientIds
  }

  maySend(topic: string): Promise<boolean> {
    return this.#ask(`>${topic}`, async connection => {
      await connection.openSender({ address: topic, kind: 'topic' })
    })
  }

  mayReceive(filter: string): Promise<boolean> {
    return this.#ask(`<${filter}`, async connection => {
      await connection.openReceiver({
        address: filter,
        kind: 'topic',
        window: 0,
        onDelivery: () => undefined
      })
    })
  }

  mayUse(clientId: string): boolean {
    return this.#clientIds?.some(pattern => fits(pattern, clientId)) ?? true
  }

  #ask(question: string, attach: (connection: AmqpConnection) => Promise<void>): Promise<boolean> {
    let answer = this.#known.get(question)
    if (answer !== undefined) return answer
    answer = this.#attaches(attach)
    answer.catch(() => this.#known.delete(question)) // no answer is none
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(question, answer)
    return answer
  }

  async #attaches(attach: (connection: AmqpConnection) => Promise<void>): Promise<boolean> {
    const connection = await this.#pool.connect(this.login)
    try {
      await translating(attach(connection))
      return true
    } catch (error) {
      if (error instanceof AmqpError && error.condition === CONDITIONS.unauthorized) return false
      throw error
    } finally {
      await connection.close()
    }
  }
}

/** A login whose SASL frame is longer than the 512 bytes that AMQP allows: the broker never answers it, and keeps a thread busy. */
function isTooLong({ username = '', password }: ClientLogin): boolean {
  return Buffer.byteLength(username) + (password?.length ?? 0) > MAX_LOGIN_BYTES
}

export async function authenticate(
  pool: ConnectionPool,
  credentials: Credentials,
  clientIds: ClientIds
): Promise<Authentication> {
  const named = credentials.mechanism === 'PLAIN'
  const name = named ? credentials.username : 'anonymous'
  const login: ClientLogin = named ? { username: name, password: credentials.password } : {}
  if (isTooLong(login))
    return { refused: 'bad-credentials', description: 'the name or the password is too long' }
  try {
    const connection = await pool.connect(login)
    try {
      // a connection may open before its login is refused; a link that attaches proves it
      await connection.openSender({ address: undefined, kind: 'topic' })
    } finally {
      await connection.close()
    }
  } catch (error) {
    if (!(error instanceof AmqpError)) throw error
    const { condition, description } = error
    if (condition !== CONDITIONS.unauthorized) return { refused: 'unavailable', description }
    return { refused: named ? 'bad-credentials' : 'not-authorized', description }
  }
  const patterns = Object.hasOwn(clientIds, name) ? clientIds[name] : undefined
  return { principal: new ArtemisPrincipal(name, login, pool, patterns) }
}

function fits(pattern: string, clientId: string): boolean {
  return pattern.endsWith('*') ? clientId.startsWith(pattern.slice(0, -1)) : clientId === pattern
}
