// Validation against JSON Schema 2020-12: the only importer of ajv.
// Rule: what comes in is copied, defaults are filled in, and what comes out is frozen; a message names path and expectation.

import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import type { ConfigError } from './host.js'

export type Validation<T> = { readonly value: T } | { readonly errors: readonly ConfigError[] }

/** Compiles a schema once; keywords `unit` and `x-live` are ours. */
export function compileSchema<T>(schema: object): (value: unknown) => Validation<T> {
  const ajv = new Ajv2020({
    allErrors: true,
    useDefaults: true,
    strict: true,
    allowUnionTypes: true,
    verbose: true
  })
  ajv.addKeyword({ keyword: 'unit', schemaType: 'string' })
  ajv.addKeyword({ keyword: 'x-live', schemaType: 'boolean' })
  const validate = ajv.compile(schema)
  return value => {
    const copy: unknown = structuredClone(value)
    if (validate(copy)) return { value: deepFreeze(copy) as T }
    return { errors: (validate.errors ?? []).map(describe) }
  }
}

/** A JSON pointer ('' is the whole) and what was expected there. */
function describe({
  instancePath,
  keyword,
  params,
  message = 'is not valid',
  data,
  parentSchema
}: ErrorObject): ConfigError {
  if (keyword === 'additionalProperties') {
    const name = String(params['additionalProperty']).replaceAll('~', '~0').replaceAll('/', '~1')
    return { path: `${instancePath}/${name}`, message: 'is not an option' }
  }
  if (keyword === 'enum') {
    const allowed = (params['allowedValues'] as readonly unknown[])
      .map(value => JSON.stringify(value))
      .join(', ')
    return { path: instancePath, message: `must be one of ${allowed}` }
  }
  // a secret is not for a log
  if (parentSchema?.['writeOnly'] === true) return { path: instancePath, message }
  const shown = data === null || typeof data !== 'object' ? `, not ${JSON.stringify(data)}` : ''
  return { path: instancePath, message: `${message}${keyword === 'required' ? '' : shown}` }
}

function deepFreeze(value: unknown): unknown {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const item of Object.values(value)) deepFreeze(item)
  }
  return value
}
