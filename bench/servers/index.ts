// The servers by name.

import { aedes } from './aedes.js'
import { mosquitto } from './mosquitto.js'
import { ours } from './ours.js'
import { sockets } from './sockets.js'
import type { ServerKind } from './types.js'

export const SERVERS: ReadonlyMap<string, ServerKind> = new Map(
  [ours, aedes, mosquitto, sockets].map(kind => [kind.name, kind])
)
