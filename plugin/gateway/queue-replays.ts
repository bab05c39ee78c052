// The copies of retained messages that a client awaits in the queue of its session: which of them are older than what came live.
// Rule: a copy of a topic that came live since the SUBSCRIBE which asked for it is dropped; what was sent before goes out again. It is
// known which topics came live until a marker in the queue says that all copies are before it; without copies to come it costs nothing.

import type { AmqpValue } from '../host.js'
import type { Publication } from '../messages/publication.js'
import { matches } from '../mqtt/topic.js'
import { LiveTopics } from './live-topics.js'

interface Awaited {
  /** the name of its marker */
  readonly mark: string
  /** of the SUBSCRIBE that asked last: later ones have higher numbers */
  readonly number: number
}

export class QueueReplays {
  readonly #connection: string
  /** filters whose copies may still come */
  readonly #awaited = new Map<string, Awaited>()
  #live: LiveTopics | undefined
  #number = 0

  /** `connection`: no other one's markers have its name. */
  constructor(connection: string) {
    this.#connection = connection
  }

  /** These filters are about to be subscribed to: the name of the marker that is to come after their copies. */
  begin(filters: Iterable<string>): string {
    const number = ++this.#number
    const mark = `${this.#connection}/${number}`
    for (const filter of filters) this.#awaited.set(filter, { mark, number })
    this.#live ??= new LiveTopics()
    return mark
  }

  /** No copies come for this filter any more. */
  left(filter: string): void {
    this.#awaited.delete(filter)
    if (this.#awaited.size === 0) this.#live = undefined
  }

  /** A marker came. */
  filled(marks: ReadonlyMap<AmqpValue, AmqpValue>): void {
    for (const [filter, mark] of marks)
      if (typeof filter === 'string' && this.#awaited.get(filter)?.mark === mark) this.left(filter)
  }

  /** Of each publication that comes by the queue, in their order: it is a copy, and the client has what is as new or newer. */
  isOld({ topic, retained }: Publication): boolean {
    const live = this.#live
    if (live === undefined) return false
    if (retained !== true) {
      live.add(topic, this.#number)
      return false
    }
    const number = this.#numberOf(topic)
    // without knowing it is sent: an old copy does less harm than none
    return number !== undefined && !live.full && live.has(topic, number)
  }

  /** Of the last SUBSCRIBE that asked for copies of this topic. */
  #numberOf(topic: string): number | undefined {
    let last: number | undefined
    for (const [filter, { number }] of this.#awaited)
      if ((last === undefined || number > last) && matches(filter, topic)) last = number
    return last
  }
}
