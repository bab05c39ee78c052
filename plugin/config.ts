// The configuration of one address space: parsed, defaulted, frozen.
// Rule: schemas/config.schema.json is where options live; their types are made from it.

import schema from '../schemas/config.schema.json' with { type: 'json' }
import type { Config } from './config-types.js'
import { compileSchema, type Validation } from './schema.js'

export type { Config } from './config-types.js'
export type { Validation } from './schema.js'

/** AddressSpace.mqtt as a Config, or what is wrong with it. */
export const parseConfig: (mqtt: unknown) => Validation<Config> = compileSchema<Config>(schema)
