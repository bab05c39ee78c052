// The architecture as imports show it: who may know whom, and what each file keeps to.
// Rule: every rule is a test of its own, and names the file and the import that break it.

import assert from 'node:assert/strict'
import { builtinModules } from 'node:module'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

interface Source {
  /** from the root of the project, with slashes */
  readonly path: string
  readonly text: string
  /** relative ones as paths from the root, with their extension as written */
  readonly imports: readonly string[]
  /** as written */
  readonly specifiers: readonly string[]
}

function filesUnder(folder: string): string[] {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return names.map(name => join(folder, name)).filter(name => statSync(join(root, name)).isFile())
}

const STATIC = /^(?:import|export)\s(?:[^'"`;]*?\sfrom\s)?['"]([^'"]+)['"]/gm
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]/g

/** What a source imports, re-exports and loads later. */
function specifiersOf(text: string): string[] {
  return [STATIC, DYNAMIC].flatMap(pattern =>
    [...text.matchAll(pattern)].map(([, specifier = '']) => specifier)
  )
}

function read(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8')
  const specifiers = specifiersOf(text)
  const imports = specifiers.map(each => (each.startsWith('.') ? join(dirname(path), each) : each))
  return { path, text, imports, specifiers }
}

const sources = ['plugin', 'adapters']
  .flatMap(filesUnder)
  .filter(path => path.endsWith('.ts'))
  .map(read)

const isPlugin = ({ path }: Source): boolean => path.startsWith('plugin/')

/** `rule` says what is wrong with an import of a file, or nothing. */
function wantImports(rule: (source: Source, target: string) => string | undefined): void {
  const wrong = sources.flatMap(source =>
    source.imports.flatMap(target => {
      const fault = rule(source, target)
      return fault === undefined ? [] : [`${source.path} imports ${target}: ${fault}`]
    })
  )
  assert.deepEqual(wrong, [])
}

function wantFiles(files: readonly Source[], rule: (source: Source) => string | undefined): void {
  const wrong = files.flatMap(source => {
    const fault = rule(source)
    return fault === undefined ? [] : [`${source.path}: ${fault}`]
  })
  assert.deepEqual(wrong, [])
}

/** Folder or file of plugin/: what each layer may import. */
const BASE = ['host', 'errors']
const SHARED = [...BASE, 'backoff', 'metrics', 'config', 'outbox', 'service-connection']
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  host: [],
  errors: [],
  backoff: [],
  metrics: BASE,
  schema: BASE,
  'config-types': [],
  config: [...BASE, 'schema', 'config-types'],
  options: [...BASE, 'schema'],
  outbox: [...BASE, 'backoff'],
  'service-connection': BASE,
  mqtt: [...BASE, 'mqtt'],
  messages: [...BASE, 'mqtt', 'messages'],
  session: [...BASE, 'mqtt', 'messages', 'session'],
  gateway: [...SHARED, 'mqtt', 'messages', 'session', 'gateway'],
  services: [...SHARED, 'mqtt', 'messages', 'services'],
  'space-log': BASE,
  'running-space': [...SHARED, 'space-log', 'options', 'gateway', 'services'],
  'start-failure': BASE,
  lifecycle: [...SHARED, 'options', 'running-space', 'start-failure'],
  index: [...SHARED, 'mqtt', 'messages', 'session', 'gateway', 'services', 'options', 'lifecycle']
}

/** `plugin/mqtt/topic.ts` -> `mqtt`, `plugin/host.js` -> `host` */
const layerOf = (path: string): string => path.split('/')[1]?.replace(/\.[jt]s$/, '') ?? ''

/** What an adapter may know of the plugin. */
const PORT = /^plugin\/(?:host|errors|backoff|messages\/[\w-]+|mqtt\/topic[\w-]*)\.js$/
const isRoot = (path: string): boolean =>
  /^adapters\/[\w-]+\/index\.ts$/.test(path) || path.startsWith('adapters/standalone/')

const OWNERS: Readonly<Record<string, RegExp>> = {
  rhea: /^adapters\/rhea\//,
  'mqtt-packet': /^plugin\/gateway\/packet-[\w-]+\.ts$/,
  ajv: /^plugin\/schema\.ts$/,
  'classic-level': /^adapters\/embedded\//,
  'prom-client': /^adapters\/standalone\//,
  pino: /^adapters\/standalone\//
}

const isPackage = (target: string): boolean =>
  /^[@a-z]/.test(target) &&
  !/^(?:node:|(?:plugin|adapters|schemas|test|bench|examples)\/|manifest|package)/.test(target)
const packageOf = (target: string): string =>
  target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/')

const BUILTIN = new Set(builtinModules)

/** Without comments and quoted strings. Good enough for words that must not be in code: regular expressions stay. */
const codeOf = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\/|\/\/.*|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g, each =>
    each.startsWith('`') ? each : ''
  )

const PURE = /^plugin\/(?:session|mqtt|messages)\//
const MAX_LINES = 300
const VAGUE_NAMES = /^(?:utils?|helpers?|common|manager|base|misc|shared)(?:-|\.|$)/

describe('architecture', () => {
  it('reads the imports of sources', () => {
    const text =
      "import a from 'a'\nimport {\n  b\n} from './b.js'\nexport * from 'c'\nimport 'd'\nconst e = await import('e')\n"
    assert.deepEqual(specifiersOf(text + "export const f = 'f'\n"), ['a', './b.js', 'c', 'd', 'e'])
    assert.ok(sources.length > 50)
    assert.ok(sources.some(({ imports }) => imports.includes('plugin/host.js')))
  })

  it('has a layer for each file and folder of the plugin', () => {
    wantFiles(sources.filter(isPlugin), ({ path }) =>
      layerOf(path) in LAYERS ? undefined : `${layerOf(path)} has no row in LAYERS`
    )
  })

  it('lets each layer of the plugin import only the layers below it', () => {
    wantImports(({ path }, target) => {
      if (!path.startsWith('plugin/') || !target.startsWith('plugin/')) return undefined
      const allowed = LAYERS[layerOf(path)] ?? []
      return allowed.includes(layerOf(target))
        ? undefined
        : `${layerOf(path)} may not know ${layerOf(target)}`
    })
  })

  it('keeps adapters out of the plugin', () => {
    wantImports(({ path }, target) =>
      path.startsWith('plugin/') && target.startsWith('adapters/') ? 'the plugin knows no adapter' : undefined
    )
  })

  it('keeps the inside of the plugin out of adapters', () => {
    wantImports(({ path }, target) => {
      if (!path.startsWith('adapters/') || !target.startsWith('plugin/') || PORT.test(target))
        return undefined
      // the program has a configuration and metrics of its own, in the plugin's way
      const program = ['plugin/schema.js', 'plugin/metrics.js', 'plugin/space-log.js'].includes(target)
      if (program && path.startsWith('adapters/standalone/')) return undefined
      if (target === 'plugin/index.js') return isRoot(path) ? undefined : 'only composition roots may'
      return 'an adapter knows the port, messages and topics alone'
    })
  })

  it('keeps adapters apart: each knows itself and adapters/rhea, the program knows all', () => {
    wantImports(({ path }, target) => {
      if (!path.startsWith('adapters/') || !target.startsWith('adapters/')) return undefined
      const [from, to] = [path.split('/')[1], target.split('/')[1]]
      // the other end of a protocol has its names, and users as the broker tells them
      const protocol = /^adapters\/embedded\/(?:management-protocol|users)\.js$/.test(target)
      if (from === 'remote' && protocol) return undefined
      return from === to || to === 'rhea' || from === 'standalone' ? undefined : 'another adapter'
    })
  })

  it('keeps tests, benchmarks and examples out of the product', () => {
    wantImports((_source, target) =>
      /^(?:test|bench|examples)\//.test(target) ? 'not a part of the product' : undefined
    )
  })

  it('imports each package in one place', () => {
    wantImports(({ path }, target) => {
      if (!isPackage(target)) return undefined
      const owner = OWNERS[packageOf(target)]
      if (owner === undefined) return 'a package without a row in OWNERS'
      return owner.test(path) ? undefined : `only ${owner.source} may`
    })
  })

  it('keeps the pure folders pure: no module of node but node:buffer', () => {
    wantImports(({ path }, target) =>
      PURE.test(path) && target.startsWith('node:') && target !== 'node:buffer' ? 'not pure' : undefined
    )
  })

  it('has no I/O, clock, timer or chance in the session core', () => {
    const impure =
      /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask|Date\.now|new Date|Math\.random|performance\.|console\.|process\.|async |await |Promise\b)/
    wantFiles(
      sources.filter(({ path }) => path.startsWith('plugin/session/')),
      ({ text }) => impure.exec(codeOf(text))?.[0]
    )
  })

  it('writes imports with their extension, and modules of node with node:', () => {
    wantFiles(sources, ({ specifiers }) =>
      specifiers.find(each => (each.startsWith('.') ? !/\.js(?:on)?$/.test(each) : BUILTIN.has(each)))
    )
  })

  it('names what it exports', () => {
    wantFiles(sources, ({ text }) => /^export default\b.*|\bas default\b/m.exec(text)?.[0])
  })

  it('reads the environment in the command line alone', () => {
    wantFiles(sources, ({ path, text }) =>
      path.startsWith('adapters/standalone/') ? undefined : /\bprocess\.env\b/.exec(codeOf(text))?.[0]
    )
  })

  it('has no variable at the level of a module', () => {
    wantFiles(sources, ({ text }) => /^(?:export )?(?:let|var) .*/m.exec(text)?.[0])
  })

  it('has no way around the types', () => {
    wantFiles(
      sources,
      ({ text }) => /\bas any\b|: any\b|<any>|@ts-(?:ignore|nocheck|expect-error).*/.exec(codeOf(text))?.[0]
    )
  })

  it('opens each file with what it is for', () => {
    wantFiles(sources, ({ text }) =>
      /^(?:#!.*\n)?\/\/ \S/.test(text) ? undefined : 'no comment at its head'
    )
  })

  it('names files by what is in them', () => {
    wantFiles(sources, ({ path }) => {
      const name = path.split('/').at(-1) ?? ''
      if (!/^[a-z0-9]+(?:-[a-z0-9]+)*\.ts$/.test(name)) return 'not in kebab case'
      return VAGUE_NAMES.test(name) ? 'a name that says nothing' : undefined
    })
  })

  it(`has files of at most ${MAX_LINES} lines, or says at their head why they are longer`, () => {
    const tests = filesUnder('test')
      .filter(path => path.endsWith('.ts'))
      .map(read)
    wantFiles([...sources, ...tests], ({ text }) => {
      const lines = text.split('\n').length - 1
      const head = /^(?:\/\/.*\n)+/.exec(text)?.[0] ?? ''
      return lines > MAX_LINES && !/\b(?:long|longer)\b/i.test(head) ? `${lines} lines` : undefined
    })
  })

  it('names no path of the machine it was written on', () => {
    const folders = [
      'plugin',
      'adapters',
      'test',
      'docs',
      'examples',
      'bench',
      'schemas',
      'scripts',
      '.ci'
    ].filter(folder => existsSync(join(root, folder)))
    const top = readdirSync(root).filter(name => statSync(join(root, name)).isFile())
    const files = [...folders.flatMap(filesUnder), ...top].filter(path =>
      /(?:\.(?:ts|js|mjs|cjs|json|md|py|sh|ya?ml)|\/run|LICENSE)$/.test(path)
    )
    wantFiles(files.map(read), ({ text }) => /(?<![\w.+#])\/(?:work|root)(?![\w-]).*/.exec(text)?.[0])
  })

  it('installs from whatever registry npm is set to', () => {
    const lock = readFileSync(join(root, 'package-lock.json'), 'utf8')
    assert.doesNotMatch(lock, /"resolved": "\w+:/)
  })
})
