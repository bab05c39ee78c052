// Bare sockets of node, for scale: not a server of MQTT, so only for scenarios that connect and subscribe.

import { startNodeProgram } from './node-program.js'
import type { ServerKind } from './types.js'

export const sockets: ServerKind = {
  name: 'sockets',
  scenarios: ['idle', 'connects'],
  missing: () => undefined,
  start: options => startNodeProgram('sockets-program.mjs', options)
}
