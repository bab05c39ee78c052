// Which retained messages a set of topic filters asks for, and where in the store they are.
// Rule: a topic that several filters match is read and sent once; no part of the store is read twice for one plan.

import { isWildcard } from '../mqtt/topic.js'
import { TopicTree } from '../mqtt/topic-tree.js'

export class ReplayPlan {
  /** once a topic is asked for that is no filter */
  #tree: TopicTree<true> | undefined
  readonly #filters: Set<string>
  /** read on their own */
  readonly topics: readonly string[]
  /** All topics that begin so are read; none of them begins with another one. */
  readonly prefixes: readonly string[]

  constructor(filters: Iterable<string>) {
    this.#filters = new Set(filters)
    const wildcards = [...this.#filters].filter(isWildcard)
    this.prefixes = shortest(wildcards.map(prefixOf))
    const parents = wildcards.map(parentOf).filter(each => each !== undefined)
    const topics = new Set([...this.#filters].filter(each => !isWildcard(each)).concat(parents))
    this.topics = [...topics].filter(topic => !beginsWithOne(this.prefixes, topic))
  }

  get filters(): ReadonlySet<string> {
    return this.#filters
  }

  matches(topic: string): boolean {
    if (this.#filters.has(topic)) return true
    let matched = false
    this.#tree ??= this.#plant()
    this.#tree.match(topic, () => (matched = true))
    return matched
  }

  /** What this filter alone asks for is not wanted any more. */
  leave(filter: string): void {
    if (this.#filters.delete(filter)) this.#tree?.remove(filter, true)
  }

  #plant(): TopicTree<true> {
    const tree = new TopicTree<true>()
    for (const filter of this.#filters) tree.add(filter, true)
    return tree
  }
}

/** What all topics begin with that the filter matches, but for the parent of `#`. */
const prefixOf = (filter: string): string => filter.slice(0, filter.search(/[+#]/))

/** `a/#` matches `a`, too. */
function parentOf(filter: string): string | undefined {
  const parent = filter.endsWith('/#') ? filter.slice(0, -2) : ''
  return parent === '' || isWildcard(parent) ? undefined : parent
}

/** Those that begin with no other one. */
function shortest(prefixes: readonly string[]): readonly string[] {
  const kept: string[] = []
  // one that another begins with sorts before it, and only others that begin with it are between them
  for (const prefix of [...prefixes].sort()) {
    const last = kept.at(-1)
    if (last === undefined || !prefix.startsWith(last)) kept.push(prefix)
  }
  return kept
}

/** `prefixes`: sorted, and none begins with another: of those before `topic` the last alone can be it. */
function beginsWithOne(prefixes: readonly string[], topic: string): boolean {
  let [low, high] = [0, prefixes.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((prefixes[middle] ?? '') <= topic) low = middle + 1
    else high = middle
  }
  const last = prefixes[low - 1]
  return last !== undefined && topic.startsWith(last)
}
