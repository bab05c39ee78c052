// What would be published, after a build: its files, the plugin in it with its declarations, and that a platform can load it.
// Rule: the plugin holds nothing of an adapter; the package holds nothing that a platform or a user of the program does not need.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const manifest = JSON.parse(read('manifest.json')) as Readonly<Record<string, unknown>>

/** TypeScript sources under a folder, with what their first line says. */
function headsOf(folder: string): [path: string, head: string][] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts'))
    .map(path => {
      const [head = ''] = read(join(folder, path)).split('\n')
      return [path, head]
    })
}

describe('the package', () => {
  const consumer = mkdtempSync(join(tmpdir(), 'package-'))
  const modules = join(consumer, 'node_modules')
  const unpacked = join(modules, 'mqtt-over-amqp')
  let files: readonly string[]

  before(() => {
    const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', consumer]
    const [packed] = JSON.parse(
      execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' })
    ) as [{ filename: string; files: { path: string }[] }]
    files = packed.files.map(({ path }) => path)
    mkdirSync(unpacked, { recursive: true })
    execFileSync('tar', ['-xzf', join(consumer, packed.filename), '-C', unpacked, '--strip-components=1'])
    for (const dependency of readdirSync(join(ROOT, 'node_modules'))) {
      if (!dependency.startsWith('.'))
        symlinkSync(join(ROOT, 'node_modules', dependency), join(modules, dependency))
    }
    writeFileSync(join(consumer, 'package.json'), '{ "type": "module" }')
  })
  after(() => rmSync(consumer, { recursive: true }))

  it('holds the plugin, the program, declarations of the plugin, manifest, schemas, licence and README, and nothing else', () => {
    const expected = [
      'LICENSE',
      'README.md',
      'manifest.json',
      'package.json',
      'dist/plugin.js',
      'dist/mqtt-over-amqp.js'
    ]
    for (const path of expected) assert.ok(files.includes(path), path)
    for (const path of files) {
      assert.match(
        path,
        /^(dist\/(plugin|mqtt-over-amqp)\.js|dist\/types\/(plugin\/.*|schemas\/.*|.*\.json)|schemas\/.*\.json|[^/]+)$/
      )
    }
  })

  it('has a plugin without adapters', () => {
    const plugin = read('dist/plugin.js')
    const present = headsOf('plugin').filter(([, head]) => plugin.includes(head))
    assert.ok(present.length > 10, 'the first lines of sources are in the bundle')
    assert.deepEqual(
      headsOf('adapters').filter(([, head]) => plugin.includes(head)),
      []
    )
    const imported = [
      ...plugin.matchAll(/^(?:import|export)\b.*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm)
    ]
    for (const [, ...names] of imported) {
      assert.match(names.find(name => name !== undefined) ?? '', /^(node:|ajv\/|mqtt-packet$)/)
    }
    assert.ok(imported.length > 2)
  })

  it('has a program that loads the plugin as a module of its own', () => {
    const program = read('dist/mqtt-over-amqp.js')
    assert.match(program, /^#!\/usr\/bin\/env node\n/)
    assert.match(program, /^import \{[^}]*\bplugin\b[^}]*\} from '\.\/plugin\.js'/m)
    // one class of errors for both sides, or `instanceof` does not know what a host threw
    assert.doesNotMatch(program, /class AmqpError/)
  })

  it('can be loaded by a platform, and takes the hooks that the manifest names', () => {
    const script = `
      import { plugin } from 'mqtt-over-amqp'
      const hooks = []
      plugin.register({ name: 'test', apiVersion: 1, on: hook => hooks.push(hook) })
      console.log(JSON.stringify({ name: plugin.name, apiVersion: plugin.apiVersion, hooks }))
    `
    const args = ['--input-type=module', '-e', script]
    const output = execFileSync(process.execPath, args, { cwd: consumer, encoding: 'utf8' })
    const { name, apiVersion, hooks } = manifest
    assert.deepEqual(JSON.parse(output), { name, apiVersion, hooks })
  })

  it('refuses a host of another api version by name', () => {
    const script = `
      import { plugin } from 'mqtt-over-amqp'
      plugin.register({ name: 'older', apiVersion: 0, on() {} })
    `
    assert.throws(
      () =>
        execFileSync(process.execPath, ['--input-type=module', '-e', script], {
          cwd: consumer,
          stdio: 'pipe',
          encoding: 'utf8'
        }),
      /needs host api version 1; older has 0/
    )
  })

  it('has declarations that a platform written in TypeScript compiles against', () => {
    writeFileSync(
      join(consumer, 'platform.ts'),
      `import { plugin, type Host, type AddressSpace } from 'mqtt-over-amqp'
       export function load(host: Host, space: AddressSpace): string {
         plugin.register(host)
         return space.name
       }
       // @ts-expect-error a host has a version
       plugin.register({ name: 'x' })
      `
    )
    const tsc = join(ROOT, 'node_modules/.bin/tsc')
    const flags = '--noEmit --strict --module nodenext --target es2023 --types node platform.ts'
    execFileSync(tsc, flags.split(' '), { cwd: consumer, stdio: 'pipe' })
  })

  it('runs as a program from where it is installed', () => {
    const output = execFileSync(process.execPath, [join(unpacked, 'dist/mqtt-over-amqp.js'), '--version'], {
      encoding: 'utf8'
    })
    assert.equal(output.trim(), manifest['version'])
  })
})
