// Broken hosts: each a working one that does one thing wrong, and a guess at the cases that notice.
// Rule: a mutant that passes the suite shows that the suite does not ask for what the mutant gets wrong.

import { boundMutants } from './mutants-bounds.js'
import { deliveryMutants } from './mutants-deliveries.js'
import { idMutants } from './mutants-ids.js'
import { linkMutants } from './mutants-links.js'
import { messageMutants } from './mutants-messages.js'
import { readerMutants } from './mutants-readers.js'
import { servedMutants } from './mutants-served.js'
import { stateMutants } from './mutants-state.js'
import { userMutants } from './mutants-users.js'
import type { Mutant } from './mutant.js'

export const mutants: readonly Mutant[] = [
  ...deliveryMutants,
  ...messageMutants,
  ...linkMutants,
  ...servedMutants,
  ...readerMutants,
  ...userMutants,
  ...stateMutants,
  ...boundMutants,
  ...idMutants
]
