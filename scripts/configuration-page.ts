// docs/configuration.md, made from the JSON Schemas.
// Rule: nothing about an option is said here that its schema does not say.

/** What the page reads of a schema. */
export interface Schema {
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly description?: string
  readonly default?: unknown
  readonly unit?: string
  readonly 'x-live'?: boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly minItems?: number
  readonly pattern?: string
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, Schema>>
}

export interface Option {
  /** names from the top, joined with dots; `[]` after an array */
  readonly path: string
  readonly schema: Schema
  readonly required: boolean
}

/** All options under `schema` that are a value and no object of options, in their order. */
export function optionsOf(schema: Schema, root = schema, prefix = ''): Option[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, raw]) => {
    const option = resolved(raw, root)
    const path = `${prefix}${name}`
    if (option.properties !== undefined) return optionsOf(option, root, `${path}.`)
    const here = { path, schema: option, required: schema.required?.includes(name) === true }
    const items = option.items === undefined ? undefined : resolved(option.items, root)
    if (items?.properties === undefined) return [here]
    return [here, ...optionsOf(items, root, `${path}[].`)]
  })
}

function resolved(schema: Schema, root: Schema): Schema {
  if (schema.$ref === undefined) return schema
  const found = root.$defs?.[schema.$ref.replace('#/$defs/', '')]
  if (found === undefined) throw new Error(`there is no ${schema.$ref}`)
  return found
}

/** The page as Markdown, not formatted. */
export function configurationPage(program: Schema, plugin: Schema): string {
  return [
    '# Configuration',
    '',
    'Made from the JSON Schemas by `npm run docs`; edit those. An option that is not in these tables is refused, with its path and',
    'what was expected.',
    '',
    '## The plugin',
    '',
    'Per address space: `AddressSpace.mqtt` for a platform, `mqtt` of a space in the configuration of the program. Schema:',
    '[config.schema.json](../schemas/config.schema.json). **Live**: a change reaches connected clients at once and drops none. For',
    'others the description says what a change does. A change that is not valid, or cannot be made, is reported for its space, which',
    'goes on as it was; other spaces do not notice.',
    '',
    table(plugin, true),
    '',
    '## The program',
    '',
    'What `--config FILE` holds; read once, at the start. Schema: [standalone.schema.json](../schemas/standalone.schema.json). `--check`',
    'says what is wrong with a file, for the program and for the plugin in each space, and starts nothing.',
    '',
    table(program, false),
    ''
  ].join('\n')
}

function table(schema: Schema, withLive: boolean): string {
  const head = ['option', 'value', 'default', ...(withLive ? ['live'] : []), 'meaning']
  const rows = optionsOf(schema)
    .filter(({ path }) => path !== '$schema')
    .map(option => [
      `\`${option.path}\``,
      valueOf(option.schema),
      option.required ? 'required' : defaultOf(option.schema),
      ...(withLive ? [option.schema['x-live'] === true ? 'yes' : 'no'] : []),
      option.schema.description ?? ''
    ])
  return [head, head.map(() => '---'), ...rows]
    .map(cells => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n')
}

function defaultOf({ default: value }: Schema): string {
  return value === undefined ? 'none' : `\`${JSON.stringify(value)}\``
}

function valueOf(schema: Schema): string {
  const { type = '', minimum, maximum, unit, pattern, minItems } = schema
  if (schema.enum !== undefined) return schema.enum.map(each => `\`${JSON.stringify(each)}\``).join(', ')
  const kind = type === 'array' ? `array of ${schema.items?.type === 'string' ? 'strings' : 'objects'}` : type
  const range =
    maximum !== undefined
      ? `${minimum ?? 0} to ${maximum}`
      : minimum !== undefined
        ? `${minimum} or more`
        : ''
  return [
    String(kind),
    range,
    unit ?? '',
    minItems === undefined ? '' : `at least ${minItems}`,
    pattern === undefined ? '' : `like \`${pattern}\``
  ]
    .filter(part => part !== '')
    .join(', ')
}
