// The files that are made from the schemas and tables.
// Rule: what is written and what the test compares with comes from here.

import { readFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'
import { configTypes } from './config-types.js'
import { configurationPage, type Schema } from './configuration-page.js'
import { metricsPage } from './metrics-page.js'

const at = (path: string): URL => new URL(`../${path}`, import.meta.url)
const readSchema = (name: string): Schema =>
  JSON.parse(readFileSync(at(`schemas/${name}.schema.json`), 'utf8')) as Schema

export interface Generated {
  /** from the root of the project */
  readonly path: string
  readonly url: URL
  readonly text: string
}

export async function generate(): Promise<readonly Generated[]> {
  const plugin = readSchema('config')
  const program = readSchema('standalone')
  return [
    await formatted('docs/configuration.md', configurationPage(program, plugin)),
    await formatted('docs/metrics.md', metricsPage()),
    await formatted('plugin/config-types.ts', await configTypes(plugin))
  ]
}

async function formatted(path: string, source: string): Promise<Generated> {
  const url = at(path)
  const options = await resolveConfig(url)
  return { path, url, text: await format(source, { ...options, filepath: path }) }
}
