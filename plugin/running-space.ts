// What runs for one address space, as far as this process has the role: the services and the gateway, and the configuration that
// they read.
// Rule: it starts whole or not at all; a change is taken whole or not at all, and drops no client.

import type { Config } from './config.js'
import { Gateway } from './gateway/gateway.js'
import type { AddressSpace, Host } from './host.js'
import { SpaceMetrics } from './metrics.js'
import type { Role } from './options.js'
import { SubscriptionStandby } from './services/standby.js'
import { spaceLog } from './space-log.js'

/** What the parts look at whenever they need it. */
interface Current {
  config: Config
  addresses: AddressSpace['addresses']
}

export class RunningSpace {
  readonly #current: Current
  readonly #gateway: Gateway | undefined
  readonly #service: SubscriptionStandby | undefined
  readonly #metrics: SpaceMetrics

  private constructor(
    current: Current,
    gateway: Gateway | undefined,
    service: SubscriptionStandby | undefined,
    metrics: SpaceMetrics
  ) {
    this.#current = current
    this.#gateway = gateway
    this.#service = service
    this.#metrics = metrics
  }

  /** The service before the gateway: nobody is let in before somebody answers. Rejects with nothing left open. */
  static async start(
    host: Host,
    space: AddressSpace,
    config: Config,
    roles: readonly Role[]
  ): Promise<RunningSpace> {
    const current: Current = { config, addresses: space.addresses }
    const metrics = new SpaceMetrics(host.metrics, space.name)
    const options = {
      space,
      config: () => current.config,
      addresses: () => current.addresses,
      log: spaceLog(host.log, space.name),
      metrics
    }
    try {
      const service = roles.includes('subscription') ? await SubscriptionStandby.start(options) : undefined
      try {
        const gateway = roles.includes('gateway') ? await Gateway.start(options) : undefined
        return new RunningSpace(current, gateway, service, metrics)
      } catch (error) {
        await service?.stop()
        throw error
      }
    } catch (error) {
      metrics.close()
      throw error
    }
  }

  get listeners(): Gateway['addresses'] {
    return this.#gateway?.addresses ?? []
  }

  /** Whether change can follow: another peer is another protocol, and needs a new start. */
  canFollow({ services }: Config): boolean {
    return services.peer === this.#current.config.services.peer
  }

  /** Follows `config` and the addresses of `space`; rejects where the listener cannot move, and is then as it was. */
  async change({ addresses }: AddressSpace, config: Config): Promise<void> {
    const { host, port } = this.#current.config.listener
    const { listener } = config
    if (listener.host !== host || listener.port !== port) await this.#gateway?.move(listener)
    this.#current.config = config
    this.#current.addresses = addresses
    this.#gateway?.reconfigured()
    this.#service?.reconfigured()
  }

  /** Ends clients, then the service. `deadline`: ms since 1970. */
  async stop(deadline: number): Promise<void> {
    await this.#gateway?.stop(deadline)
    await this.#service?.stop()
    this.#metrics.close()
  }
}
