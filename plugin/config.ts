// The configuration of one address space: parsed, defaulted, frozen.
// Rule: schemas/config.schema.json is where options live; this file only names their shape for the compiler.

import schema from '../schemas/config.schema.json' with { type: 'json' }
import { compileSchema, type Validation } from './schema.js'

/** Each option's meaning, unit and default: schemas/config.schema.json. */
export interface Config {
  readonly enabled: boolean
  readonly listener: { readonly host: string; readonly port: number }
  readonly limits: {
    readonly connectTimeoutMs: number
    readonly packetBytes: number
    readonly connectPacketBytes: number
    readonly topicLevels: number
    readonly topicBytes: number
    readonly filtersPerClient: number
    readonly receiveMaximum: number
    readonly bufferedBytes: number
  }
  readonly publish: { readonly retries: number }
  readonly services: { readonly timeoutMs: number }
}

/** AddressSpace.mqtt as a Config, or what is wrong with it. */
export const parseConfig: (mqtt: unknown) => Validation<Config> = compileSchema<Config>(schema)
