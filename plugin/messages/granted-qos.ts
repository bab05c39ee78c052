// Topic filters with their QoS as the body of AMQP_SUBSCRIBE and AMQP_SUBSCRIPTIONS.
// Rule: a string is written, which is all that originals read; what they and AMQP clients write is read.

import type { AmqpValue } from '../host.js'
import type { Qos } from '../mqtt/packets.js'

export const encodeFilters = (filters: ReadonlyMap<string, Qos>): ReadonlyMap<AmqpValue, AmqpValue> =>
  new Map([...filters].map(([filter, qos]) => [filter, String(qos)]))

/** Reads one filter's value: a string, an integer, `true` as 1, or a map with `qos`; undefined for all else. */
export function decodeQos(value: AmqpValue): Qos | undefined {
  const qos = value instanceof Map ? (value as ReadonlyMap<AmqpValue, AmqpValue>).get('qos') : value
  if (qos === 0 || qos === '0') return 0
  if (qos === 1 || qos === '1' || qos === true) return 1
  if (qos === 2 || qos === '2') return 2
  return undefined
}
