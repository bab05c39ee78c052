// The program as a host of the plugin: hooks, log, metrics, and what the plugin reports of each space.
// Rule: it knows nothing of brokers and MQTT; it passes on what happens and remembers what was said last.

import type { AddressSpace, Host, HostHooks, Logger, SpaceStatus } from '../../plugin/host.js'
import { METRICS } from '../../plugin/index.js'
import { HOST_METRICS } from './host-metrics.js'
import { MetricsRegistry } from './metrics.js'

type Handlers = { readonly [K in keyof HostHooks]: HostHooks[K][] }

export class StandaloneHost implements Host {
  readonly name = 'standalone'
  readonly apiVersion = 1
  readonly log: Logger
  readonly metrics = new MetricsRegistry({ ...METRICS, ...HOST_METRICS })
  readonly #handlers: Handlers = {
    addressSpaceAdded: [],
    addressSpaceChanged: [],
    addressSpaceRemoved: [],
    closing: []
  }
  readonly #statuses = new Map<string, SpaceStatus>()

  constructor(log: Logger) {
    this.log = log
  }

  on<K extends keyof HostHooks>(hook: K, handler: HostHooks[K]): void {
    this.#handlers[hook].push(handler)
  }

  report(space: string, status: SpaceStatus): void {
    this.#statuses.set(space, status)
    this.log.debug({ space, status }, 'space reported')
  }

  /** What the plugin last reported of the space; undefined: nothing. */
  status(space: string): SpaceStatus | undefined {
    return this.#statuses.get(space)
  }

  async addSpace(space: AddressSpace): Promise<void> {
    await Promise.all(this.#handlers.addressSpaceAdded.map(handler => handler(space)))
  }

  async removeSpace(name: string): Promise<void> {
    await Promise.all(this.#handlers.addressSpaceRemoved.map(handler => handler(name)))
  }

  /** `deadline`: ms since 1970. */
  async close(deadline: number): Promise<void> {
    await Promise.all(this.#handlers.closing.map(handler => handler(deadline)))
  }
}
