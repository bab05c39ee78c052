// Which topic names a client may publish to and which filters it may subscribe to, before any right is asked.
// Rule: what breaks MQTT's grammar ends the connection; what is reserved or over a limit is refused where MQTT can say so.

import { isReservedTopic, isValidTopicFilter, isValidTopicName } from '../mqtt/topic.js'
import type { SessionOptions } from './types.js'

/** Characters of a topic that go into a log line. */
const SHOWN = 200

/** What is wrong with a topic name, undefined: nothing. */
export function findNameFault(topic: string, options: SessionOptions): string | undefined {
  if (!isValidTopicName(topic, options.topicLevels)) {
    // [MQTT3-3.3.2-2] [MQTT3-4.7.3-1]
    return isValidTopicName(topic) ? 'too many topic levels' : 'no topic name'
  }
  if (isTooLong(topic, options.topicBytes)) return 'a topic that is too long'
  return isReservedTopic(topic) ? 'a reserved topic' : undefined
}

/** Why a valid filter is refused all the same, undefined: it is not. */
export function findFilterFault(filter: string, options: SessionOptions): string | undefined {
  if (!isValidTopicFilter(filter, options.topicLevels)) return 'too many topic levels'
  if (isTooLong(filter, options.topicBytes)) return 'a topic filter that is too long'
  return isReservedTopic(filter) ? 'a reserved topic filter' : undefined
}

/** A topic as a log line shows it. */
export function shown(topic: string): string {
  return topic.length <= SHOWN ? topic : `${topic.slice(0, SHOWN)}…`
}

function isTooLong(topic: string, bytes: number): boolean {
  return topic.length * 3 > bytes && Buffer.byteLength(topic) > bytes
}
