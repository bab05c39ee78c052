// plugin/config-types.ts, made from the schema of the plugin's configuration.
// Rule: the types are those of a configuration after its defaults were filled in, and nobody may change it.

import { compile, type JSONSchema } from 'json-schema-to-typescript'

const HEAD = `// The plugin's configuration for one address space, with its defaults filled in.
// Made from schemas/config.schema.json by \`npm run docs\`; edit that.
`

/** The source as TypeScript, not formatted. */
export async function configTypes(schema: object): Promise<string> {
  const text = await compile(filledIn(schema), 'Config', {
    additionalProperties: false,
    bannerComment: HEAD,
    format: false
  })
  return text.replace(/^(\s*)(\w+)(\??): /gm, '$1readonly $2$3: ')
}

/** The schema of what parseConfig gives: an option with a default is always there. */
function filledIn(schema: object): JSONSchema {
  const { title: _title, $id: _id, ...rest } = structuredClone(schema) as JSONSchema
  requireDefaults(rest)
  return rest
}

function requireDefaults(schema: JSONSchema): void {
  const entries = Object.entries(schema.properties ?? {})
  if (entries.length === 0) return
  const given = entries.filter(([, option]) => option.default !== undefined).map(([name]) => name)
  schema.required = [...new Set([...(Array.isArray(schema.required) ? schema.required : []), ...given])]
  for (const [, option] of entries) requireDefaults(option)
}
