// Which topics the store of retained messages may have, so that it is not asked for those that it does not have: most that are
// subscribed to. Rule: what is there is never denied, from the first survey of all topics on; before it nothing is. A name that is denied
// wrongly would be a lost message; one that is not denied costs a look into the store.

/** Names that the first layer is for; each further one is for twice as many. */
const FIRST_NAMES = 4096
const MAX_LAYERS = 12
const BITS_PER_NAME = 16
/** Bits of a name in its layer: with them one name in 400 is taken for another. */
const PROBES = 4

export class KnownTopics {
  #known: NameSketch | undefined
  #surveyed: NameSketch | undefined

  /** A survey begins: what is added from now on, and `underWay`, is all that the store will have at its end. */
  begin(underWay: Iterable<string>): void {
    this.#surveyed = new NameSketch()
    for (const topic of underWay) this.#surveyed.add(topic)
  }

  /** All topics were added that the store had when the survey began: those that have gone since the last one are forgotten. */
  complete(): void {
    this.#known = this.#surveyed ?? this.#known
    this.#surveyed = undefined
  }

  /** It is there, or will be. */
  add(topic: string): void {
    this.#known?.add(topic)
    this.#surveyed?.add(topic)
  }

  mayHave(topic: string): boolean {
    return this.#known?.has(topic) !== false
  }

  /** Some topic may begin with `prefix`. */
  mayHaveBelow(prefix: string): boolean {
    const levels = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    return this.#known?.has(levels) !== false
  }
}

/** A set of topics and of all that they begin with up to a `/`: two bytes each, nothing can be taken out (a Bloom filter that grows). */
class NameSketch {
  readonly #layers: Uint32Array[] = []
  /** names that the last layer still is for */
  #room = 0
  #first = 0
  #second = 0

  add(topic: string): void {
    this.#start()
    this.#insert()
    for (let i = 0; i < topic.length; i++) {
      this.#step(topic.charCodeAt(i))
      if (topic[i] === '/' || i === topic.length - 1) this.#insert()
    }
  }

  has(name: string): boolean {
    this.#start()
    for (let i = 0; i < name.length; i++) this.#step(name.charCodeAt(i))
    return this.#isIn()
  }

  #start(): void {
    this.#first = 0x811c9dc5
    this.#second = 0x9747b28c
  }

  /** Two hashes, by FNV-1a and another multiplier. */
  #step(code: number): void {
    this.#first = Math.imul(this.#first ^ code, 0x01000193)
    this.#second = Math.imul(this.#second ^ code, 0x5bd1e995)
  }

  #isIn(): boolean {
    return this.#layers.some(layer => this.#probe(layer, false))
  }

  #insert(): void {
    if (this.#isIn()) return
    if (this.#room === 0 && this.#layers.length < MAX_LAYERS) {
      this.#room = FIRST_NAMES << this.#layers.length
      this.#layers.push(new Uint32Array((this.#room * BITS_PER_NAME) / 32))
    }
    const layer = this.#layers.at(-1)
    if (layer !== undefined) this.#probe(layer, true)
    // past the last layer it is only that more names are taken for others
    this.#room = Math.max(0, this.#room - 1)
  }

  /** Whether all bits of the name were set; `set`: they are now. */
  #probe(layer: Uint32Array, set: boolean): boolean {
    const mask = layer.length * 32 - 1
    let bit = mixed(this.#first)
    const stride = mixed(this.#second) | 1
    let all = true
    for (let probe = 0; probe < PROBES; probe++) {
      const at = (bit & mask) >>> 5
      const word = layer[at] ?? 0
      const flag = 1 << (bit & 31)
      if ((word & flag) === 0) {
        if (!set) return false
        all = false
        layer[at] = word | flag
      }
      bit = (bit + stride) | 0
    }
    return all
  }
}

/** Spreads what differs in a few bits over all of them. */
function mixed(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
