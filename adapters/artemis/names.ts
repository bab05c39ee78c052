// Names that the adapter gives to what it makes on the broker: diverts, queues of its own, stores.
// Rule: each is read back from its name alone, so that nothing about them is kept elsewhere. All begin with `$mqtt.`; those inside
// begin with `$mqtt.%.`, which no client id can be written as.

import type { Route } from '../../plugin/host.js'
import { encodeClientId, isReplyNode } from '../../plugin/messages/addresses.js'

export const MANAGEMENT_ADDRESS = 'activemq.management'

const INSIDE = '$mqtt.%.'
const STORE = `${INSIDE}store.`
/** Queues of subscriptions that last as long as their links. */
export const SUBSCRIPTION = `${INSIDE}sub.`
/** Where frames of links to served addresses come. */
export const INBOX = `${INSIDE}inbox.`
const SERVED = `${INSIDE}serve.`
const READERS = `${INSIDE}readers.`
/** Answers of the broker's management. */
export const REPLY = '$mqtt.reply.'

/** What address settings and permissions of the plugin's queues are for. */
export const OWNED_MATCH = '$mqtt.+'

/** A queue that the plugin made through the port, and none of the adapter's. */
export const isPluginQueue = (name: string): boolean =>
  name.startsWith('$mqtt.') && !name.startsWith(INSIDE) && !isReplyNode(name)

export const storeShard = (store: string, shard: number): string =>
  `${STORE}${encodeClientId(store)}.${shard}`

/** Where links to a served address are asked for; whoever receives from it serves the address. */
export const serveQueue = (address: string): string => `${SERVED}${encodeClientId(address)}`

/** The same for addresses that begin with a prefix. */
export const readersQueue = (prefix: string): string => `${READERS}${encodeClientId(prefix)}`

export const ALL_READERS = READERS

/** The prefix that a queue of readers is for. */
export const readersPrefix = (queue: string): string => decodeURIComponent(queue.slice(READERS.length))

/** Filters of one routing name give one copy. */
export const routingName = (queue: string): string => `$mqtt.sub.${queue}`

const ALL = 'mqtt|a|'
const RETAINED = 'mqtt|r|'

export const divertName = ({ filter, queue, only }: Route): string =>
  `${only === 'retained' ? RETAINED : ALL}${queue}|${encodeURIComponent(filter)}`

/** The route that a divert is; undefined for a divert of somebody else, or of a subscription. */
export function routeOf(divert: string): Route | undefined {
  if (!divert.startsWith(ALL) && !divert.startsWith(RETAINED)) return undefined
  const [queue, filter, more] = divert.slice(ALL.length).split('|')
  if (queue === undefined || filter === undefined || more !== undefined || !isPluginQueue(queue))
    return undefined
  const route = { filter: decodeURIComponent(filter), queue }
  return divert.startsWith(RETAINED) ? { ...route, only: 'retained' } : route
}

export const subscriptionDivert = (queue: string): string => `mqtt|s|${queue}`

/** The queue that a subscription's divert feeds. */
export const subscriptionOf = (divert: string): string | undefined =>
  divert.startsWith('mqtt|s|') ? divert.slice('mqtt|s|'.length) : undefined
