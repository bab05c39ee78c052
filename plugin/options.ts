// What a platform may say when it registers the plugin.
// Rule: validated like a configuration; what is not known is refused, with its path and what was expected.

import { compileSchema } from './schema.js'

/** `gateway`: MQTT clients come in. `subscription`: the Subscription Service is active here, or stands by. */
export type Role = 'gateway' | 'subscription'

export interface PluginOptions {
  /** what this process does of each space; all by default */
  readonly roles: readonly Role[]
}

const validate = compileSchema<PluginOptions>({
  type: 'object',
  additionalProperties: false,
  properties: {
    roles: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: { enum: ['gateway', 'subscription'] },
      default: ['gateway', 'subscription']
    }
  }
})

/** Throws a TypeError that names what is wrong. */
export function parseOptions(options: unknown): PluginOptions {
  const parsed = validate(options ?? {})
  if ('value' in parsed) return parsed.value
  throw new TypeError(
    `options of the plugin: ${parsed.errors.map(({ path, message }) => `${path} ${message}`.trim()).join('; ')}`
  )
}
