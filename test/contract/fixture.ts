// What the contract suite needs of a host under test: an address space, users, and ways to restart and to cut it.
// Rule: a fixture is fresh and cheap; every case gets its own, and nothing of one case is seen by another.

import assert from 'node:assert/strict'
import type {
  AddressSpace,
  AmqpConnection,
  Capabilities,
  Credentials,
  Message,
  Principal
} from '../../plugin/host.js'

/**
 * Users that the host under test knows. `full`: all topics and client ids. `limited`: sends to and receives from `allowed/#`,
 * client ids that start with `limited-`. `reader`: all topics, client ids that start with `reader-`.
 */
export type UserName = 'full' | 'limited' | 'reader'

export interface ContractFixture {
  /** the space as it is now: another one after restart() and crash() */
  readonly space: AddressSpace
  readonly users: Readonly<Record<UserName, { readonly name: string; readonly credentials: Credentials }>>
  /** name of a queue that the host itself has */
  readonly queue: string
  /** ms that a case waits for what must come */
  readonly patienceMs: number
  /** the host's clock, ms since 1970 */
  now(): number
  /** Resolves when the host's clock is at least `ms` further: by moving the clock, or by waiting. */
  elapse(ms: number): Promise<void>
  /** Stops the host in order and starts it on the same data. */
  restart(): Promise<AddressSpace>
  /** Starts the host on the data as they are on disk at the moment of the call. With `crash` in ContractHost.offers. */
  crash?(): Promise<AddressSpace>
  /** The connection vanishes without a word, as when its process dies. */
  lose(connection: AmqpConnection): Promise<void>
  /** Messages as AMQP bytes, as the host's wire has them. With `codec` in ContractHost.offers. */
  readonly codec?: { decode(bytes: Uint8Array): Message; encode(message: Message): Uint8Array } | undefined
  close(): Promise<void>
}

/** A host as the suite meets it. */
export interface ContractHost {
  readonly name: string
  readonly capabilities: Capabilities
  readonly offers: readonly ('crash' | 'codec')[]
  /** a client without a name gets in, with all rights */
  readonly anonymous: boolean
  make(): Promise<ContractFixture>
}

export type ContractPart =
  | 'topics'
  | 'publish-subscribe'
  | 'values'
  | 'queues'
  | 'settlement'
  | 'credit'
  | 'expiry'
  | 'routes'
  | 'links'
  | 'reply-nodes'
  | 'control-addresses'
  | 'served-links'
  | 'served-readers'
  | 'stores'
  | 'users'
  | 'sources'
  | 'durability'
  | 'duplicate-ids'

export interface ContractCase {
  /** a sentence: what a host does */
  readonly title: string
  readonly part: ContractPart
  /** the case is only for hosts that have this */
  readonly requires?: keyof Capabilities | 'crash' | 'codec' | 'anonymous' | undefined
  /** the case is only for hosts that do not have this */
  readonly without?: keyof Capabilities | 'anonymous' | undefined
  run(t: ContractFixture): Promise<void>
}

/** Logs a user of the fixture in. */
export async function login(t: ContractFixture, user: UserName): Promise<Principal> {
  const answer = await t.space.authenticate(t.users[user].credentials)
  assert.ok('principal' in answer, `user ${user} was not let in`)
  return answer.principal
}
