// The plugin: a platform loads this module and registers it with its host.
// Rule: nothing happens at import; everything begins with register, and per address space.

import manifest from '../manifest.json' with { type: 'json' }
import type { AddressSpace, Host, Plugin } from './host.js'
import { SpaceLifecycle } from './lifecycle.js'
import { parseOptions } from './options.js'

export { OWNED_PREFIXES } from './messages/addresses.js'
export { parseConfig, type Config, type Validation } from './config.js'
export { METRICS } from './metrics.js'
export { AmqpError, BridgeError, CONDITIONS, FAILURES, rejectionOf } from './errors.js'
export type * from './host.js'
export type { PluginOptions, Role } from './options.js'

const API_VERSION = 1

export const plugin: Plugin = {
  name: manifest.name,
  apiVersion: API_VERSION,
  register(host: Host, options?: unknown): void {
    if (host.apiVersion !== API_VERSION) {
      throw new RangeError(
        `${manifest.name} needs host api version ${API_VERSION}; ${host.name} has ${host.apiVersion}`
      )
    }
    const { roles } = parseOptions(options)
    const spaces = new Map<string, SpaceLifecycle>()
    let closing = false
    const lifecycleOf = (name: string): SpaceLifecycle => {
      let lifecycle = spaces.get(name)
      if (lifecycle === undefined) spaces.set(name, (lifecycle = new SpaceLifecycle(host, name, roles)))
      return lifecycle
    }
    const apply = async (space: AddressSpace): Promise<void> => {
      if (!closing) await lifecycleOf(space.name).apply(space)
    }
    host.on('addressSpaceAdded', apply)
    host.on('addressSpaceChanged', apply)
    host.on('addressSpaceRemoved', async name => {
      const lifecycle = spaces.get(name)
      await lifecycle?.stop(Date.now() + REMOVAL_GRACE_MS)
      // a space of this name may have come again meanwhile
      if (lifecycle?.idle === true) spaces.delete(name)
    })
    host.on('closing', async deadline => {
      closing = true
      await Promise.all([...spaces.values()].map(lifecycle => lifecycle.stop(deadline)))
    })
  }
}

/** Time for the clients of a removed space to finish what was taken. */
const REMOVAL_GRACE_MS = 5000
