// Routes as diverts: from the addresses that a topic filter matches to a queue of the plugin's.
// Rule: the queue is there before the divert, and the divert is gone before the queue. A filter that may match what is no topic (the
// host's queues, what the plugin owns, what the broker tells itself) says so in the divert, or a publication would go round in circles.

import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { Route, Routes } from '../../plugin/host.js'
import { OWNED_PREFIXES } from '../../plugin/messages/addresses.js'
import { isWildcard, matches } from '../../plugin/mqtt/topic.js'
import type { Broker } from './broker.js'
import { divertName, routeOf, routingName } from './names.js'

/** Addresses of the broker's own. */
const BROKERS = ['activemq.notifications', 'DLQ', 'ExpiryQueue']
/** Reply queues that other clients had the broker make. */
const TEMPORARY = '________-____-____-____-____________'
const RETAINED = '"m.x-opt-retain-message" = TRUE'

/** Names of the diverts to a queue. */
export async function routesTo(broker: Broker, queue: string): Promise<readonly string[]> {
  return (await broker.divertNames()).filter(name => routeOf(name)?.queue === queue)
}

/** `hostQueues`: addresses of the host that are no topics. undefined: nothing to keep out. */
export function divertFilter(
  { filter, only }: Pick<Route, 'filter' | 'only'>,
  hostQueues: readonly string[]
): string | undefined {
  const conditions = only === 'retained' ? [RETAINED] : []
  if (isWildcard(filter)) {
    const first = filter.charCodeAt(0)
    const wild = first === 0x23 || first === 0x2b // # and +
    if (wild && only === 'retained') conditions.push(...OWNED_PREFIXES.map(prefix => notLike(`${prefix}%`)))
    else if (wild) conditions.push(notLike('$%'))
    const queues = hostQueues.filter(name => matches(filter, name))
    const names = wild ? [...BROKERS, ...queues] : queues
    if (names.length > 0) conditions.push(`AMQAddress NOT IN (${names.map(quoted).join(',')})`)
    if (wild) conditions.push(notLike(TEMPORARY))
  }
  return conditions.length === 0 ? undefined : conditions.join(' AND ')
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`
const notLike = (pattern: string): string => `AMQAddress NOT LIKE ${quoted(pattern)}`

export class ArtemisRoutes implements Routes {
  readonly #broker: Broker
  readonly #hostQueues: readonly string[]

  constructor(broker: Broker, hostQueues: readonly string[]) {
    this.#broker = broker
    this.#hostQueues = hostQueues
  }

  async add(route: Route): Promise<void> {
    const { filter, queue } = route
    if ((await this.#broker.consumerCount(queue)) === undefined)
      throw new AmqpError(CONDITIONS.notFound, `no queue ${queue}`)
    const condition = divertFilter(route, this.#hostQueues)
    await this.#broker.createDivert({
      name: divertName(route),
      'routing-name': routingName(queue),
      address: filter,
      'forwarding-address': queue,
      'routing-type': 'ANYCAST',
      ...(condition === undefined ? {} : { 'filter-string': condition })
    })
  }

  async remove(route: Route): Promise<void> {
    await this.#broker.destroyDivert(divertName(route))
  }

  async list(queue?: string): Promise<readonly Route[]> {
    const routes = (await this.#broker.divertNames()).map(routeOf).filter(route => route !== undefined)
    return queue === undefined ? routes : routes.filter(route => route.queue === queue)
  }
}
