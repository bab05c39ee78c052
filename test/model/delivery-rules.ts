// What a session must and may get: the model that a run is held against.
// Rule: only what is certain is demanded, and only what is possible is allowed. Nothing of the product is used to tell.

import type { Change, Connection, History, Publication, Receipt, Session, Span } from './history.js'

/** `a` took effect before `b` did. */
export const surelyBefore = (a: Span, b: Span): boolean => a.end !== undefined && a.end < b.start

/** MQTT 3.1.1, chapter 4.7; no topic here begins with `$`. */
export function covers(filter: string, topic: string): boolean {
  const levels = topic.split('/')
  const wanted = filter.split('/')
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true
    if (index >= levels.length || (level !== '+' && level !== levels[index])) return false
  }
  return wanted.length === levels.length
}

const begins = ({ qos }: Change): boolean => qos !== undefined

/** The session's subscriptions that may have been in effect at some moment from `from` to `until`. */
export function possibleSubscriptions(
  { changes }: Session,
  topic: string,
  from: number,
  until: number
): readonly Change[] {
  return changes.filter(
    (change, index) =>
      begins(change) &&
      covers(change.filter, topic) &&
      change.start < until &&
      // none after it took its place for sure
      !changes
        .slice(index + 1)
        .some(later => later.filter === change.filter && later.end !== undefined && later.end < from)
  )
}

/** The last change of each filter that surely had its effect before `moment`, where it began a subscription to `topic`. */
export function certainSubscriptions(session: Session, topic: string, moment: number): readonly Change[] {
  const latest = new Map<string, Change>()
  for (const change of session.changes)
    if (change.end !== undefined && change.end < moment) latest.set(change.filter, change)
  return [...latest.values()].filter(
    change =>
      begins(change) &&
      covers(change.filter, topic) &&
      session.doubts.every(({ end }) => end !== undefined && end < change.start)
  )
}

/** The session has this filter now, and no request on its way takes it. */
export function surelyHas(session: Session, filter: string): boolean {
  const last = session.changes.findLast(change => change.filter === filter)
  return (
    last?.end !== undefined &&
    begins(last) &&
    session.doubts.every(({ end }) => end !== undefined && end < last.start)
  )
}

/**
 * Accepted with QoS 1 while the session surely had a subscription with QoS 1 that nothing has weakened since. One that ended later has
 * done its part, unless there is another one with QoS 0, which then says how the publication goes out.
 */
export function mustArrive(session: Session, publication: Publication): boolean {
  const { qos, end, topic, start, empty } = publication
  if (qos !== 1 || end === undefined || empty) return false
  const weaker = possibleSubscriptions(session, topic, start, Infinity).some(change => change.qos === 0)
  return certainSubscriptions(session, topic, start).some(certain => {
    const later = session.changes.slice(session.changes.indexOf(certain) + 1)
    return (
      certain.qos === 1 &&
      later.every(
        change =>
          change.filter !== certain.filter ||
          change.qos === 1 ||
          (!begins(change) && change.start > end && !weaker)
      )
    )
  })
}

/** What is to come as it was published, and not as a copy of a retained message. */
export const isLive = ({ retained }: Receipt): boolean => !retained

/** What the session must have got and has not. */
export function missing({ publications }: History, session: Session): readonly Publication[] {
  const came = new Set(session.receipts.filter(isLive).map(({ number }) => number))
  return publications.filter(publication => !came.has(publication.number) && mustArrive(session, publication))
}

export const named = ({ number, topic }: Publication): string => `publication ${number} to ${topic}`

/** All that is wrong with what the session got; what it did not get is `missing`. */
export function deliveryFaults(history: History, session: Session): readonly string[] {
  // as they were sent: a client may read what a former connection still had for it when it has a newer one
  const live = session.connections.flatMap(connection =>
    session.receipts.filter(receipt => isLive(receipt) && receipt.connection === connection)
  )
  return [
    ...live.flatMap(receipt => strangeness(history, session, receipt)),
    ...repetitions(history, session, live),
    ...disorder(history, live)
  ].map(fault => `${session.clientId}: ${fault}`)
}

const publicationOf = ({ publications }: History, { number }: Receipt): Publication | undefined =>
  number === undefined ? undefined : publications[number - 1]

/** What was never published so, or not to this session. */
function strangeness(history: History, session: Session, receipt: Receipt): readonly string[] {
  const { topic, number, at, dup, qos, connection } = receipt
  if (number === undefined) {
    const removal = history.publications.some(
      each => each.empty && each.topic === topic && each.start < at && mayHave(session, each, at)
    )
    return removal ? [] : [`an empty payload on ${topic} that nobody sent to it`]
  }
  const publication = publicationOf(history, receipt)
  if (publication === undefined || publication.topic !== topic)
    return [`${JSON.stringify(number)} on ${topic}, which nobody published`]
  if (!mayHave(session, publication, at)) return [`${named(publication)} without a subscription`]
  if (dup && qos === 0 && connection.protocol === 'mqtt') return [`${named(publication)} with DUP and QoS 0`]
  return qosFaults(session, publication, receipt)
}

const mayHave = (session: Session, { topic, start, end = Infinity }: Publication, at: number): boolean =>
  possibleSubscriptions(session, topic, start, Math.min(end, at)).length > 0

function qosFaults(session: Session, publication: Publication, receipt: Receipt): readonly string[] {
  const { topic, start } = publication
  const { at, qos, connection } = receipt
  // an AMQP client gets what was published; a gateway does not know any more what was granted to a filter that has gone
  const left = session.changes.some(
    change => !begins(change) && change.start < at && covers(change.filter, topic)
  )
  const granted = possibleSubscriptions(session, topic, start, at).map(change => change.qos ?? 0)
  const highest = connection.protocol === 'amqp' || left ? publication.qos : Math.max(0, ...granted)
  const lowest = mustArrive(session, publication) ? 1 : 0
  const expected = Math.min(publication.qos, highest)
  if (qos <= expected && qos >= lowest) return []
  return [
    `${named(publication)} with QoS ${qos}, not ${lowest === expected ? expected : `${lowest} to ${expected}`}`
  ]
}

/** A second delivery has its reason, and says so. */
function repetitions(history: History, session: Session, live: readonly Receipt[]): readonly string[] {
  return live.flatMap((receipt, index) => {
    const publication = publicationOf(history, receipt)
    if (publication === undefined) return []
    const earlier = live.slice(0, index).filter(({ number }) => number === receipt.number)
    const previous = earlier.at(-1)
    if (previous === undefined) {
      const reason = mayHaveBeenSent(history, session, publication, receipt)
      return receipt.dup && !reason ? [`${named(publication)} with DUP, the first time`] : []
    }
    // it was published as often, or the host has lost what it had not written yet
    const first = earlier[0]?.at ?? receipt.at
    if (publication.attempts > 1 && history.deaths.some(death => death > first && death < receipt.at))
      return []
    if (!receipt.dup && earlier.filter(({ dup }) => !dup).length < publication.attempts) return []
    if (history.crashes.some(crash => crash > previous.at && crash < receipt.at)) return []
    return again(publication, previous, receipt)
  })
}

/** A connection before may have had it, or whoever counts deliveries has lost its count. */
const mayHaveBeenSent = (
  { deaths }: History,
  { connections }: Session,
  { start }: Publication,
  { at }: Receipt
): boolean =>
  connections.slice(1).some(({ acceptedAt = 0 }) => acceptedAt > start && acceptedAt < at) ||
  deaths.some(death => death > start && death < at)

function again(publication: Publication, previous: Receipt, receipt: Receipt): readonly string[] {
  const { connection } = receipt
  if (publication.attempts > 1 && receipt.dup) return []
  if (previous.connection === connection) return [`${named(publication)} twice over ${connection.name}`]
  // a host that stops counts nothing for the clients that it cuts off; a gateway does so for its own
  const uncounted = connection.protocol === 'amqp' && previous.connection.ending?.reason === 'restart'
  // what a gateway could not write down goes out as what is granted now, and QoS 0 has no DUP [MQTT3-3.3.1-2]
  const lowered = !keepsItsId(previous.connection) && receipt.qos === 0
  if (!receipt.dup && !uncounted && !lowered) return [`${named(publication)} again without DUP`]
  if (previous.qos === 0 && connection.protocol === 'mqtt') return [`${named(publication)} again after QoS 0`]
  const { surelyAcknowledgedAt = Infinity } = previous
  if (surelyAcknowledgedAt < connection.start)
    return [`${named(publication)} again after its acknowledgement`]
  return keepsItsId(previous.connection) && previous.packetId !== receipt.packetId
    ? [`${named(publication)} again with packet id ${receipt.packetId}, not ${previous.packetId}`]
    : []
}

/** The gateway had time to write down what was in flight [MQTT3-4.4.0-1]. */
const keepsItsId = ({ protocol, ending }: Connection): boolean =>
  protocol === 'mqtt' && ending?.reason !== 'kill' && ending?.reason !== 'crash'

/** What was published later comes later: of one publisher, and of different ones where the first was answered before. */
function disorder(history: History, live: readonly Receipt[]): readonly string[] {
  const seen = new Set<number>()
  const came: {
    readonly publication: Publication
    readonly connection: Connection
    readonly first: boolean
  }[] = []
  return live.flatMap(receipt => {
    const publication = publicationOf(history, receipt)
    if (publication === undefined || publication.attempts > 1) return []
    const first = !seen.has(publication.number)
    seen.add(publication.number)
    const { connection } = receipt
    // over one connection all are in order, over several the first of each
    const overtaken = came.find(
      other =>
        (other.connection === connection || (first && other.first)) &&
        publishedBefore(publication, other.publication)
    )
    came.push({ publication, connection, first })
    return overtaken === undefined ? [] : [`${named(publication)} after ${named(overtaken.publication)}`]
  })
}

/** Both to one topic, and `a` is older for sure. */
export const publishedBefore = (a: Publication, b: Publication): boolean =>
  a.topic === b.topic && (surelyBefore(a, b) || (a.publisher === b.publisher && a.number < b.number))
