// Random numbers that come again with the same seed, so that a fault that was found can be made again.

/** mulberry32: 32 bits of state, good enough to choose instants with. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A whole number, `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + Math.floor(this.#next() * (to - from + 1))
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.#next() < probability
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** FAULT_SEED, or one that is different in each run. */
export const SEED = Number(process.env['FAULT_SEED'] ?? Date.now() % 1_000_000)

/** FAULT_ROUNDS: how often each fault is made. */
export const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 5)

export interface Round {
  /** for the test's title: how to make this run again */
  readonly name: string
  readonly random: Random
}

/** The rounds of one kind of fault: each has random numbers of its own. `share`: of all rounds, where one takes long. */
export const rounds = (kind: number, share = 1): readonly Round[] =>
  Array.from({ length: Math.ceil(ROUNDS * share) }, (_, i) => ({
    name: `round ${i + 1}, FAULT_SEED=${SEED}`,
    random: new Random(SEED * 1_000 + kind * 100_000_007 + i)
  }))
