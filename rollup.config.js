// Bundles what tsc emitted into build/: the plugin as one ES module that holds no adapter, and the
// command line program, which loads that module as any other platform would.
import json from '@rollup/plugin-json'
import { chmodSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, resolve } from 'node:path'

const { dependencies } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8'))
const packages = [...Object.keys(dependencies), ...builtinModules]
const isPackage = id =>
  id.startsWith('node:') || packages.some(name => id === name || id.startsWith(`${name}/`))
// The program takes these from the plugin's module: a class of errors that there are two of is none to `instanceof`.
const fromPlugin = ['build/plugin/index.js', 'build/plugin/errors.js'].map(path => resolve(path))

const onwarn = warning => {
  throw new Error(warning.message)
}

export default [
  {
    input: 'build/plugin/index.js',
    external: isPackage,
    plugins: [json()],
    onwarn,
    output: { file: 'dist/plugin.js', format: 'es', sourcemap: false }
  },
  {
    input: 'build/adapters/standalone/main.js',
    external: isPackage,
    plugins: [
      json(),
      {
        name: 'plugin-module',
        resolveId(source, importer) {
          if (importer === undefined || !source.startsWith('.')) return null
          if (!fromPlugin.includes(resolve(dirname(importer), source))) return null
          return { id: './plugin.js', external: true }
        }
      },
      {
        name: 'executable',
        writeBundle: ({ file }) => chmodSync(file, 0o755)
      }
    ],
    onwarn,
    output: { file: 'dist/mqtt-over-amqp.js', format: 'es', banner: '#!/usr/bin/env node' }
  }
]
