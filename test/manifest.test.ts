// manifest.json: valid by its schema, and of one mind with the package and the code.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'

import { OWNED_PREFIXES, plugin } from '../plugin/index.js'
import { compileSchema } from '../plugin/schema.js'
import { changedSpace, RunningGateway } from './fixtures/gateway.js'
import { RecordedHost } from './fixtures/recorded-space.js'

const readJson = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')) as Record<string, unknown>

const REQUIRABLE = (
  readJson('schemas/manifest.schema.json') as {
    properties: { requires: { items: { enum: readonly string[] } } }
  }
).properties.requires.items.enum

describe('manifest.json', () => {
  const manifest = readJson('manifest.json')
  const pkg = readJson('package.json')
  const validate = compileSchema(readJson('schemas/manifest.schema.json'))

  it('is valid by schemas/manifest.schema.json', () => {
    assert.deepEqual(validate(manifest), { value: manifest })
  })

  it('agrees with package.json', () => {
    assert.equal(manifest['name'], pkg['name'])
    assert.equal(manifest['version'], pkg['version'])
    assert.equal(manifest['entry'], pkg['main'])
    const files = pkg['files'] as readonly string[]
    for (const path of [manifest['entry'], manifest['configSchema'], 'manifest.json'] as string[]) {
      assert.ok(
        files.some(file => path === file || path.startsWith(`${file}/`)),
        `${path} is packed`
      )
    }
  })

  it('names the address prefixes that the code owns', () => {
    assert.deepEqual(manifest['ownedPrefixes'], [...OWNED_PREFIXES])
  })

  it('names the hooks that the code takes, each once, and the api version that it is for', () => {
    const host = new RecordedHost()
    plugin.register(host)
    assert.deepEqual(manifest['hooks'], host.taken)
    assert.equal(manifest['apiVersion'], plugin.apiVersion)
    assert.equal(manifest['name'], plugin.name)
  })

  it('requires nothing that a host may lack', async () => {
    const none = Object.fromEntries(REQUIRABLE.map(capability => [capability, false]))
    assert.deepEqual(manifest['requires'], [])
    const gateway = await RunningGateway.start({
      wrap: space => changedSpace(space, { capabilities: { ...space.capabilities, ...none } })
    })
    try {
      const client = await gateway.connect('client')
      await client.subscribe(['t', 1])
      await (await gateway.connect('publisher')).publish('t', 'x')
      assert.equal((await client.nextPublish()).payload, 'x')
    } finally {
      await gateway.stop()
    }
  })

  it('names a configuration schema that is there and has the feature flag, on by default', () => {
    const path = String(manifest['configSchema'])
    assert.ok(existsSync(new URL(`../${path}`, import.meta.url)))
    const properties = readJson(path)['properties'] as Record<string, { type: string; default: unknown }>
    const flag = properties[String(manifest['featureFlag'])]
    assert.equal(flag?.type, 'boolean')
    assert.equal(flag.default, true)
  })

  it('is refused by its schema when something is missing, unknown or malformed', () => {
    for (const broken of [
      { ...manifest, version: '1' },
      { ...manifest, hooks: ['opened'] },
      { ...manifest, extra: 1 },
      { ...manifest, apiVersion: undefined },
      { ...manifest, entry: '/dist/plugin.js' },
      { ...manifest, requires: ['magic'] }
    ]) {
      assert.ok('errors' in validate(JSON.parse(JSON.stringify(broken))))
    }
  })
})
