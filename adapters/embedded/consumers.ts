// The receivers of one queue, and whose turn it is.
// Rule: in turn; whoever has no credit, or has sent a message back for good, is passed over.

import type { LinkError } from '../../plugin/host.js'
import type { Consumer } from './consumer.js'
import type { Entry } from './entry.js'

export class Consumers {
  readonly #all: Consumer[] = []
  #turn = 0

  get count(): number {
    return this.#all.length
  }

  /** One of them can take a delivery. */
  get ready(): boolean {
    return this.#all.some(consumer => consumer.ready)
  }

  /** Deliveries that they can take, all together. */
  get room(): number {
    let room = 0
    for (const consumer of this.#all) room += consumer.room
    return room
  }

  /** One of them has a delivery that it has not settled. */
  get holding(): boolean {
    return this.#all.some(consumer => consumer.unsettledCount > 0)
  }

  /** Another one may not come: not at all, or not as an `exclusive` one. */
  locked(exclusive: boolean): boolean {
    return this.#all.some(consumer => consumer.exclusive || exclusive)
  }

  add(consumer: Consumer): void {
    this.#all.push(consumer)
  }

  remove(consumer: Consumer): void {
    const index = this.#all.indexOf(consumer)
    if (index >= 0) this.#all.splice(index, 1)
  }

  /** The next in turn that may have the entry. */
  pick(entry: Entry): Consumer | undefined {
    const count = this.#all.length
    for (let i = 0; i < count; i++) {
      const index = (this.#turn + i) % count
      const consumer = this.#all[index]
      if (consumer === undefined || !consumer.ready || entry.refusedBy?.has(consumer) === true) continue
      this.#turn = index + 1
      return consumer
    }
    return undefined
  }

  /** What they hold, in no order. */
  *unsettled(): IterableIterator<Entry> {
    for (const consumer of this.#all) yield* consumer.unsettled()
  }

  end(error: LinkError): void {
    for (const consumer of [...this.#all]) consumer.end(error)
  }
}
