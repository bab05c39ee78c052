// What a subscriber must and may get of retained messages.
// Rule: a retained message of a topic is the last publication with RETAIN; which one was last is told where it is certain, and where it
// is not each of them may be.

import { covers, isLive, named, publishedBefore, surelyBefore } from './delivery-rules.js'
import type { Change, History, Publication, Receipt, Session } from './history.js'

const replaced = (publication: Publication, { publications }: History, moment: number): boolean =>
  publications.some(
    later =>
      later.retain &&
      later.end !== undefined &&
      later.end < moment &&
      later.topic === publication.topic &&
      olderRetained(publication, later)
  )

/** What is sent twice may come in between again, so only answers tell about it. */
const olderRetained = (a: Publication, b: Publication): boolean =>
  a.attempts > 1 || b.attempts > 1 ? surelyBefore(a, b) : publishedBefore(a, b)

/** What may have been the retained message of `topic` at some moment from `from` to `until`; an empty one stands for none. */
export function possiblyRetained(
  history: History,
  topic: string,
  from: number,
  until: number
): { readonly messages: readonly Publication[]; readonly none: boolean } {
  const candidates = history.publications.filter(
    each => each.retain && each.topic === topic && each.start < until && !replaced(each, history, from)
  )
  const never = !history.publications.some(
    each => each.retain && each.topic === topic && each.end !== undefined && each.end < from
  )
  return {
    messages: candidates.filter(({ empty }) => !empty),
    none: never || candidates.some(({ empty }) => empty)
  }
}

interface Subscribed {
  readonly session: Session
  readonly change: Change
}

/** Topics of which the session must have heard after this SUBSCRIBE, and has not. */
export function missingRetained(history: History, session: Session): readonly string[] {
  const topics = new Set(history.publications.filter(({ retain }) => retain).map(({ topic }) => topic))
  return session.changes
    .filter(change => staysCertain(session, change))
    .flatMap(change =>
      [...topics]
        .filter(topic => covers(change.filter, topic) && !heard(history, { session, change }, topic))
        .map(topic => `what is retained of ${topic}, for its SUBSCRIBE to ${change.filter}`)
    )
}

/** Granted with QoS 1, and nothing since then takes its copies away. */
function staysCertain(session: Session, change: Change): boolean {
  const later = session.changes.slice(session.changes.indexOf(change) + 1)
  return (
    change.qos === 1 &&
    change.end !== undefined &&
    session.doubts.every(({ end }) => end !== undefined && end < change.start) &&
    later.every(({ filter }) => filter !== change.filter)
  )
}

function heard(history: History, { session, change }: Subscribed, topic: string): boolean {
  const { messages, none } = possiblyRetained(history, topic, change.start, change.end ?? Infinity)
  // a publication with QoS 0 has no claim to arrive
  if (none || messages.some(({ qos }) => qos === 0)) return true
  return session.receipts.some(receipt => {
    if (receipt.topic !== topic || receipt.at < change.start) return false
    if (receipt.number === undefined) return true
    const publication = history.publications[receipt.number - 1]
    return publication !== undefined && !replaced(publication, history, change.start)
  })
}

/** All that is wrong with the copies that the session got. */
export function retainedFaults(history: History, session: Session): readonly string[] {
  return session.receipts
    .filter(receipt => !isLive(receipt))
    .flatMap(receipt => copyFaults(history, session, receipt))
    .map(fault => `${session.clientId}: ${fault}`)
}

function copyFaults(history: History, session: Session, copy: Receipt): readonly string[] {
  const { topic, number, at } = copy
  const publication = number === undefined ? undefined : history.publications[number - 1]
  if (publication === undefined || publication.topic !== topic || !publication.retain)
    return [`a copy of ${number} on ${topic}, which nobody had retained`]
  const causes = session.changes.filter(
    ({ qos, filter, start }) => qos !== undefined && start < at && covers(filter, topic)
  )
  const [first, last] = [causes[0], causes.at(-1)]
  if (first === undefined || last === undefined)
    return [`a copy of ${named(publication)} without a SUBSCRIBE`]
  const { messages } = possiblyRetained(history, topic, first.start, at)
  if (!messages.includes(publication)) return [`a copy of ${named(publication)}, which was replaced before`]
  const others = session.receipts.filter(
    other => !isLive(other) && other.number === number && !other.dup && other.at <= at
  )
  if (others.length > causes.length && !mayComeTwice(history, topic, first.start, at))
    return [`${others.length} copies of ${named(publication)} for ${causes.length} filters`]
  // it was in time when it came first
  if (copy.dup) return []
  return staleness(history, session, copy, publication, last)
}

/** A replay that was cut off begins again, and what changes meanwhile is copied again. */
const mayComeTwice = (
  { deaths, publications }: History,
  topic: string,
  from: number,
  until: number
): boolean =>
  deaths.some(at => at > from && at < until) ||
  publications.some(
    ({ retain, topic: other, start, end = Infinity }) =>
      retain && other === topic && start < until && end > from
  )

/** The last message of a topic is the newest, of those that are retained: others take nobody's place. */
function staleness(
  history: History,
  session: Session,
  copy: Receipt,
  publication: Publication,
  cause: Change
): readonly string[] {
  const { topic, at } = copy
  const came = session.receipts.filter(other => other.topic === topic && other.at > cause.start)
  // what was retained after it
  const newest = came.findLast(
    other =>
      isLive(other) && other.at < at && mayBeRetained(history, other) && isNewer(history, other, publication)
  )
  if (newest === undefined) return []
  const what = newest.number ?? 'its removal'
  // a gateway drops it; in a queue it may come late, and then what has taken its place comes again
  if (!session.durable) return [`a copy of ${named(publication)} after ${what}, which is newer`]
  if (session.goneAt !== undefined || !staysCertain(session, cause)) return []
  const corrected = came.some(
    other => other.at > at && other.number !== undefined && !isOlder(history, other.number, newest)
  )
  const corrects = corrected || came.some(other => other.at > at && other.number === undefined)
  return corrects ? [] : [`a copy of ${named(publication)} at last, after ${what}`]
}

const mayBeRetained = ({ publications }: History, { number }: Receipt): boolean =>
  number === undefined || publications[number - 1]?.retain === true

function isOlder({ publications }: History, number: number, than: Receipt): boolean {
  const [one, other] = [
    publications[number - 1],
    than.number === undefined ? undefined : publications[than.number - 1]
  ]
  return one !== undefined && other !== undefined && olderRetained(one, other)
}

/** What came live is newer for sure; of removals nobody knows which one it was. */
function isNewer(
  { publications }: History,
  { number, topic, at }: Receipt,
  publication: Publication
): boolean {
  const others =
    number === undefined
      ? publications.filter(each => each.empty && each.topic === topic && each.start < at)
      : publications.filter(each => each.number === number)
  return others.length > 0 && others.every(other => olderRetained(publication, other))
}
