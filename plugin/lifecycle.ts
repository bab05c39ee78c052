// One address space's life in the plugin: configuration, gateway, services; from the host's hooks to a report.
// Rule: hooks of one space act one after the other; a space that cannot start says why, and the others do not notice.

import { parseConfig, type Config } from './config.js'
import { AmqpError } from './errors.js'
import { Gateway } from './gateway/gateway.js'
import type { AddressSpace, Host, SpaceStatus } from './host.js'
import { SpaceMetrics } from './metrics.js'
import { SubscriptionService } from './services/subscription-service.js'

/** What runs for one space. */
interface Running {
  readonly gateway: Gateway
  readonly service: SubscriptionService
  readonly metrics: SpaceMetrics
  /** as it came, to see whether it changed */
  readonly mqtt: string
}

export class SpaceLifecycle {
  readonly #host: Host
  readonly #name: string
  #running: Running | undefined
  #tail: Promise<void> = Promise.resolve()

  constructor(host: Host, name: string) {
    this.#host = host
    this.#name = name
  }

  /** Makes what runs agree with `space`; nothing happens if it does. */
  apply(space: AddressSpace): Promise<void> {
    return this.#next(() => this.#apply(space))
  }

  /** `deadline`: ms since 1970. */
  stop(deadline: number): Promise<void> {
    return this.#next(async () => {
      await this.#stop(deadline)
      this.#host.report(this.#name, { state: 'stopped' })
    })
  }

  #next(step: () => Promise<void>): Promise<void> {
    const result = this.#tail.then(step)
    this.#tail = result.catch(() => undefined)
    return result
  }

  async #apply(space: AddressSpace): Promise<void> {
    const mqtt = JSON.stringify(space.mqtt) ?? ''
    if (this.#running?.mqtt === mqtt) return
    await this.#stop(Date.now())
    this.#host.report(this.#name, await this.#start(space, mqtt))
  }

  async #start(space: AddressSpace, mqtt: string): Promise<SpaceStatus> {
    if (space.mqtt === undefined || space.mqtt === null) return { state: 'off' }
    const parsed = parseConfig(space.mqtt)
    if ('errors' in parsed)
      return { state: 'failed', reason: 'the configuration is not valid', errors: parsed.errors }
    if (!parsed.value.enabled) return { state: 'off' }
    const metrics = new SpaceMetrics(this.#host.metrics, space.name)
    try {
      const { gateway, service } = await this.#startParts(space, parsed.value, metrics)
      this.#running = { gateway, service, metrics, mqtt }
      return { state: 'ready', listeners: [gateway.address] }
    } catch (error) {
      metrics.close()
      return { state: 'failed', reason: reasonOf(error, parsed.value), errors: [] }
    }
  }

  /** The service before the gateway: nobody is let in before somebody answers. */
  async #startParts(
    space: AddressSpace,
    config: Config,
    metrics: SpaceMetrics
  ): Promise<{ gateway: Gateway; service: SubscriptionService }> {
    const { log } = this.#host
    const options = { space, config: () => config, log, metrics }
    const service = await SubscriptionService.start(options)
    try {
      return { gateway: await Gateway.start(options), service }
    } catch (error) {
      await service.stop()
      throw error
    }
  }

  async #stop(deadline: number): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (running === undefined) return
    await running.gateway.stop(deadline)
    await running.service.stop()
    running.metrics.close()
  }
}

function reasonOf(error: unknown, { listener }: Config): string {
  if (error instanceof AmqpError) return error.message
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const where = `${listener.host}:${listener.port}`
  if (code === 'EADDRINUSE') return `the MQTT listener cannot listen on ${where}: the port is in use`
  if (code === 'EACCES') return `the MQTT listener cannot listen on ${where}: no permission`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `the MQTT listener cannot listen on ${where}: no such address here`
  return error instanceof Error ? error.message : String(error)
}
