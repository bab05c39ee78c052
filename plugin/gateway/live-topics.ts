// Topics that reached a client while retained messages were on their way to it.
// Rule: it costs little however long the names are, and says when it is full: who asks must not go by what it no longer has.

import { createHash, randomBytes } from 'node:crypto'

const MAX_TOPICS = 1 << 18
/** Characters of a hash: so many that two names never have one, and no more than a string holds by itself. */
const HASH_LENGTH = 12

/** Of this process alone: nobody can choose two names for one hash. */
const SECRET = randomBytes(16)

export class LiveTopics {
  #names: Set<string> | undefined
  readonly #max: number
  #full = false

  constructor(max = MAX_TOPICS) {
    this.#max = max
  }

  /** More topics came than fit. */
  get full(): boolean {
    return this.#full
  }

  add(topic: string): void {
    if (this.#full) return
    this.#names ??= new Set()
    this.#names.add(keyOf(topic))
    this.#full = this.#names.size > this.#max
  }

  /** Of a topic that came before this was full. */
  has(topic: string): boolean {
    return this.#names?.has(keyOf(topic)) === true
  }
}

function keyOf(topic: string): string {
  if (topic.length < HASH_LENGTH) return topic
  return createHash('sha1').update(SECRET).update(topic).digest('base64').slice(0, HASH_LENGTH)
}
