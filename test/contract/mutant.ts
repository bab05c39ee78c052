// What a mutant is.

import type { ContractPart } from './fixture.js'
import type { Mutate } from './through.js'

export interface Mutant {
  /** what it does wrong: "a host that …" */
  readonly title: string
  /** parts or titles of the cases that run first */
  readonly hints: readonly (ContractPart | (string & {}))[]
  readonly mutate: Mutate
}
