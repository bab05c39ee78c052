// aedes, in a process of its own with plain node, its defaults and memory persistence.

import { startNodeProgram } from './node-program.js'
import type { ServerKind } from './types.js'

export const aedes: ServerKind = {
  name: 'aedes',
  missing: () => undefined,
  start: options => startNodeProgram('aedes-program.mjs', options)
}
