// What the active Subscription Service works with: its connection, what it knows, and what it keeps at the host.
// Rule: nothing here is anybody's before the service has its addresses; close() ends what was begun and leaves what is durable.

import type { AddressSpace, Logger } from '../host.js'
import { spellingOf, type Peer } from '../messages/peer.js'
import { RETAINED_STORE } from '../messages/retained.js'
import { ServiceConnection } from '../service-connection.js'
import { ClientSessions } from './client-sessions.js'
import { DAMAGED_STORE, DamagedRecords } from './damaged-records.js'
import { ReadingTurns } from './reading-turns.js'
import { Replays } from './replays.js'
import { RetainedFeed } from './retained-feed.js'
import { RetainedMessages } from './retained-messages.js'
import { RetainedSweep } from './retained-sweep.js'
import { SUBSCRIPTION_STORE, SubscriptionRecords } from './subscription-records.js'

export interface ServiceParts {
  readonly connection: ServiceConnection
  readonly sessions: ClientSessions
  readonly messages: RetainedMessages
  readonly feed: RetainedFeed
  readonly replays: Replays
  readonly sweep: RetainedSweep
}

/** `onFilled`: as of Replays. Rejects with AmqpError. */
export async function makeParts(
  space: AddressSpace,
  peer: Peer,
  log: Logger,
  onFilled: (clientId: string, filters: ReadonlySet<string>) => void
): Promise<ServiceParts> {
  const now = (): number => Date.now()
  const damaged = new DamagedRecords(await space.store(DAMAGED_STORE), log)
  const records = new SubscriptionRecords(await space.store(SUBSCRIPTION_STORE), damaged)
  const messages = new RetainedMessages({ store: await space.store(RETAINED_STORE), damaged, log, now })
  const connection = await ServiceConnection.open(space)
  const feed = new RetainedFeed({ space, connection, messages, log, now })
  const turns = new ReadingTurns(() => performance.now())
  const replays = new Replays({
    connection,
    feed,
    messages,
    turns,
    queueOf: spellingOf(peer).publish,
    log,
    onFilled
  })
  const sessions = new ClientSessions(space, peer, records, clientId => replays.end(clientId, true))
  const sweep = new RetainedSweep(messages, log)
  return { connection, sessions, messages, feed, replays, sweep }
}

export async function closeParts({ connection, feed, replays, sweep }: ServiceParts): Promise<void> {
  // those that wait for the feed are told by it
  await Promise.all([replays.close(), feed.close(), sweep.stop()])
  await connection.close()
}
