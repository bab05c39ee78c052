// An index from topic filters to values: which values does a topic name reach.
// Rule: a topic costs one look-up in a Map, plus the nodes of filters with wildcards that it really passes; filters and
// topics as deep as MQTT allows cost no call stack, and what nobody needs any more is pruned.

import { isWildcard } from './topic.js'

const HASH = 0x23
const DOLLAR = 0x24

/** One level of filters with wildcards; the level's own name is its key in the parent. */
interface Node<T> {
  readonly parent: Node<T> | undefined
  /** the level; `+` in the parent's `plus` */
  readonly level: string
  literals: Map<string, Node<T>> | undefined
  plus: Node<T> | undefined
  /** values of the filter that ends here */
  values: Set<T> | undefined
  /** values of the filter that goes on with `#` */
  hash: Set<T> | undefined
}

/** Values by topic filter. Filters and topics must be valid (topic.ts). */
export class TopicTree<T> {
  /** filters without wildcards */
  readonly #exact = new Map<string, Set<T>>()
  readonly #root: Node<T> = makeNode<T>(undefined, '')
  #size = 0

  /** Pairs of a filter and a value. */
  get size(): number {
    return this.#size
  }

  /** The same pair twice is one. */
  add(filter: string, value: T): void {
    const values = this.#valuesForAdd(filter)
    const before = values.size
    values.add(value)
    this.#size += values.size - before
  }

  /** False: the pair was not there. */
  remove(filter: string, value: T): boolean {
    if (!isWildcard(filter)) {
      const values = this.#exact.get(filter)
      if (values === undefined || !values.delete(value)) return false
      if (values.size === 0) this.#exact.delete(filter)
    } else if (!removeFrom(this.#root, filter, value)) return false
    this.#size--
    return true
  }

  /**
   * Calls `visit` for each pair whose filter matches; a value that has two such filters comes twice. `visit` may add and remove:
   * what was there before and after is visited.
   */
  match(topic: string, visit: (value: T) => void): void {
    const exact = this.#exact.get(topic)
    if (exact !== undefined) for (const value of exact) visit(value)
    if (!isEmpty(this.#root)) visitMatches(this.#root, topic, visit)
  }

  #valuesForAdd(filter: string): Set<T> {
    if (isWildcard(filter)) return valuesAt(this.#root, filter)
    let values = this.#exact.get(filter)
    if (values === undefined) this.#exact.set(filter, (values = new Set()))
    return values
  }
}

function makeNode<T>(parent: Node<T> | undefined, level: string): Node<T> {
  return { parent, level, literals: undefined, plus: undefined, values: undefined, hash: undefined }
}

function isEmpty<T>(node: Node<T>): boolean {
  return (
    node.values === undefined &&
    node.hash === undefined &&
    node.plus === undefined &&
    node.literals === undefined
  )
}

function levelEnd(levels: string, start: number): number {
  const slash = levels.indexOf('/', start)
  return slash === -1 ? levels.length : slash
}

/** The values of a filter, with the nodes that lead there. */
function valuesAt<T>(root: Node<T>, filter: string): Set<T> {
  let node = root
  for (let start = 0; ;) {
    if (filter.charCodeAt(start) === HASH) return (node.hash ??= new Set())
    const end = levelEnd(filter, start)
    node = childForAdd(node, filter.slice(start, end))
    if (end === filter.length) return (node.values ??= new Set())
    start = end + 1
  }
}

function childForAdd<T>(node: Node<T>, level: string): Node<T> {
  if (level === '+') return (node.plus ??= makeNode(node, level))
  const literals = (node.literals ??= new Map<string, Node<T>>())
  let child = literals.get(level)
  if (child === undefined) literals.set(level, (child = makeNode(node, level)))
  return child
}

function removeFrom<T>(root: Node<T>, filter: string, value: T): boolean {
  let node = root
  for (let start = 0; ;) {
    if (filter.charCodeAt(start) === HASH) {
      if (node.hash === undefined || !node.hash.delete(value)) return false
      if (node.hash.size === 0) node.hash = undefined
      break
    }
    const end = levelEnd(filter, start)
    const level = filter.slice(start, end)
    const child = level === '+' ? node.plus : node.literals?.get(level)
    if (child === undefined) return false
    node = child
    if (end === filter.length) {
      if (node.values === undefined || !node.values.delete(value)) return false
      if (node.values.size === 0) node.values = undefined
      break
    }
    start = end + 1
  }
  prune(node)
  return true
}

function prune<T>(leaf: Node<T>): void {
  let node = leaf
  while (node.parent !== undefined && isEmpty(node)) {
    const parent: Node<T> = node.parent
    if (node.level === '+') parent.plus = undefined
    else {
      parent.literals?.delete(node.level)
      if (parent.literals?.size === 0) parent.literals = undefined
    }
    node = parent
  }
}

/** Depth first; where a level goes on both by name and by `+`, the latter waits in `waiting`: no recursion. */
function visitMatches<T>(root: Node<T>, topic: string, visit: (value: T) => void): void {
  // [MQTT3-4.7.2-1]: no wildcard at the first level for topics that start with $
  const reserved = topic.charCodeAt(0) === DOLLAR
  let waiting: { readonly node: Node<T>; readonly start: number }[] | undefined
  let node: Node<T> | undefined = root
  let start = 0
  for (;;) {
    if (node === undefined) {
      const next = waiting?.pop()
      if (next === undefined) return
      node = next.node
      start = next.start
    }
    const wild: boolean = !reserved || start > 0
    if (wild && node.hash !== undefined) visitAll(node.hash, visit)
    if (start > topic.length) {
      if (node.values !== undefined) visitAll(node.values, visit)
      node = undefined
      continue
    }
    const end = levelEnd(topic, start)
    const literal: Node<T> | undefined = node.literals?.get(topic.slice(start, end))
    const plus: Node<T> | undefined = wild ? node.plus : undefined
    if (literal !== undefined && plus !== undefined) (waiting ??= []).push({ node: plus, start: end + 1 })
    node = literal ?? plus
    start = end + 1
  }
}

function visitAll<T>(values: Set<T>, visit: (value: T) => void): void {
  for (const value of values) visit(value)
}
