// What one client is subscribed to, with the QoS that it was granted: which of its filters match a topic.
// Rule: a publication that several filters match goes out once, at the highest QoS of all that match; their order is that in which
// they came.

import type { Qos } from '../mqtt/packets.js'
import { matches } from '../mqtt/topic.js'
import { TopicTree } from '../mqtt/topic-tree.js'

/** With more filters than this a client's own are looked up in a tree. */
const LINEAR_FILTERS = 8

interface Granted {
  qos: Qos
  readonly order: number
}

/** The filters of one client, oldest first. */
export class GrantedFilters {
  readonly filters = new Map<string, Granted>()
  #tree: TopicTree<string> | undefined
  #order = 0

  set(filter: string, qos: Qos): void {
    const known = this.filters.get(filter)
    if (known !== undefined) {
      known.qos = qos
      return
    }
    this.filters.set(filter, { qos, order: this.#order++ })
    this.#tree?.add(filter, filter)
  }

  delete(filter: string): void {
    this.filters.delete(filter)
    this.#tree?.remove(filter, filter)
  }

  /** The highest granted QoS of the filters that match; undefined: none does. */
  granted(topic: string): Qos | undefined {
    let highest: Qos | undefined
    this.#match(topic, ({ qos }) => {
      if (highest === undefined || qos > highest) highest = qos
    })
    return highest
  }

  /** The highest granted QoS if `filter` is the oldest that matches `topic`, else undefined. */
  grantedBy(filter: string, topic: string): Qos | undefined {
    const own = this.filters.get(filter)
    if (own === undefined) return undefined
    if (this.filters.size === 1) return own.qos
    let { qos } = own
    let oldest = true
    this.#match(topic, other => {
      if (other.order < own.order) oldest = false
      if (other.qos > qos) qos = other.qos
    })
    return oldest ? qos : undefined
  }

  #match(topic: string, visit: (granted: Granted) => void): void {
    if (this.filters.size <= LINEAR_FILTERS) {
      for (const [filter, granted] of this.filters) if (matches(filter, topic)) visit(granted)
      return
    }
    this.#tree ??= this.#plant()
    this.#tree.match(topic, filter => {
      const granted = this.filters.get(filter)
      if (granted !== undefined) visit(granted)
    })
  }

  #plant(): TopicTree<string> {
    const tree = new TopicTree<string>()
    for (const filter of this.filters.keys()) tree.add(filter, filter)
    return tree
  }
}
