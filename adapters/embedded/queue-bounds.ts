// What the plugin's queues may hold, by the start of their names, and what that kept out.
// Rule: the last call that covers a queue counts for it, also for one that is made later; what was dropped stays counted when its
// queue is deleted.

import type { QueueLimits } from '../../plugin/host.js'
import { isOwnedAddress } from '../../plugin/messages/addresses.js'
import type { DurableQueue } from './durable-queue.js'

interface Bound {
  readonly prefix: string
  readonly limits: QueueLimits
}

export class QueueBounds {
  readonly #queues: ReadonlyMap<string, DurableQueue>
  /** in the order of the calls */
  #bounds: readonly Bound[] = []
  /** dropped from queues that are deleted, by the prefix of their bounds */
  readonly #gone = new Map<string, number>()

  /** `queues`: by name */
  constructor(queues: ReadonlyMap<string, DurableQueue>) {
    this.#queues = queues
  }

  limit(prefix: string, limits: QueueLimits): void {
    this.#bounds = [...this.#bounds.filter(bound => bound.prefix !== prefix), { prefix, limits }]
    for (const [name, queue] of this.#queues) {
      if (name.startsWith(prefix) && isOwnedAddress(name)) queue.limits = limits
    }
  }

  dropped(prefix: string): number {
    let count = 0
    for (const [bound, dropped] of this.#gone) if (bound.startsWith(prefix)) count += dropped
    for (const [name, { dropped }] of this.#queues) if (name.startsWith(prefix)) count += dropped
    return count
  }

  onMade(queue: DurableQueue): void {
    if (isOwnedAddress(queue.name)) queue.limits = this.#boundOf(queue.name)?.limits
  }

  onDeleted({ name, dropped }: DurableQueue): void {
    const prefix = dropped > 0 ? this.#boundOf(name)?.prefix : undefined
    if (prefix !== undefined) this.#gone.set(prefix, (this.#gone.get(prefix) ?? 0) + dropped)
  }

  #boundOf(name: string): Bound | undefined {
    return this.#bounds.findLast(({ prefix }) => name.startsWith(prefix))
  }
}
