// The contract suite of the host port: what every host must do, and its only definition.
// Rule: a case uses the port and the fixture alone, and never asks which host it runs on.

import type { ContractCase, ContractHost, ContractPart } from './fixture.js'
import { bounds } from './bounds.js'
import { consumers } from './consumers.js'
import { controlAddresses } from './control-addresses.js'
import { credit } from './credit.js'
import { duplicateIds } from './duplicate-ids.js'
import { durability } from './durability.js'
import { expiry } from './expiry.js'
import { links } from './links.js'
import { publishSubscribe } from './publish-subscribe.js'
import { queues } from './queues.js'
import { readerEnds } from './reader-ends.js'
import { replyNodes } from './reply-nodes.js'
import { retainedRoutes } from './retained-routes.js'
import { routes } from './routes.js'
import { servedLinks } from './served-links.js'
import { servedMessages } from './served-messages.js'
import { servedReaders } from './served-readers.js'
import { settlement } from './settlement.js'
import { sources } from './sources.js'
import { stores } from './stores.js'
import { topics } from './topics.js'
import { users } from './users.js'
import { values } from './values.js'

export const contract: readonly ContractCase[] = [
  ...topics,
  ...publishSubscribe,
  ...values,
  ...queues,
  ...bounds,
  ...consumers,
  ...settlement,
  ...credit,
  ...expiry,
  ...routes,
  ...retainedRoutes,
  ...links,
  ...replyNodes,
  ...controlAddresses,
  ...servedLinks,
  ...servedMessages,
  ...servedReaders,
  ...readerEnds,
  ...stores,
  ...users,
  ...sources,
  ...durability,
  ...duplicateIds
]

/**
 * What MQTT clients need whose sessions end with their connections, and what a new host does first. Queues and routes that last,
 * settlement, credit, users' rights and state on disk are for durable subscriptions, and come after it.
 */
export const CORE: readonly ContractPart[] = [
  'topics',
  'publish-subscribe',
  'sources',
  'served-links',
  'served-readers'
]

/** The cases that are for a host with these abilities. */
export function casesFor(host: ContractHost): readonly ContractCase[] {
  const has = (ability: NonNullable<ContractCase['requires']>): boolean => {
    if (ability === 'anonymous') return host.anonymous
    if (ability === 'crash' || ability === 'codec') return host.offers.includes(ability)
    return host.capabilities[ability]
  }
  return contract.filter(
    ({ requires, without }) =>
      (requires === undefined || has(requires)) && (without === undefined || !has(without))
  )
}

/** Runs one case on a fixture of its own. */
export async function runCase(host: ContractHost, each: ContractCase): Promise<void> {
  const fixture = await host.make()
  try {
    await each.run(fixture)
  } finally {
    await fixture.close()
  }
}
