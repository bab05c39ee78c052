// One address space's life in the plugin: from the host's hooks, in their order, to what runs and a report.
// Rule: a space that cannot start says why; a change that cannot be made leaves what runs as it is, and says why.

import { parseConfig, type Config } from './config.js'
import type { AddressSpace, Host, SpaceStatus } from './host.js'
import type { Role } from './options.js'
import { RunningSpace } from './running-space.js'
import { reasonOf } from './start-failure.js'

type Failed = Extract<SpaceStatus, { state: 'failed' }>

const INVALID = 'the configuration is not valid'

export class SpaceLifecycle {
  readonly #host: Host
  readonly #name: string
  readonly #roles: readonly Role[]
  #running: RunningSpace | undefined
  /** what was applied last without a failure, to see whether anything changed */
  #applied: string | undefined
  #tail: Promise<void> = Promise.resolve()
  #waiting = 0

  constructor(host: Host, name: string, roles: readonly Role[]) {
    this.#host = host
    this.#name = name
    this.#roles = roles
  }

  /** Nothing runs, and no hook waits for its turn. */
  get idle(): boolean {
    return this.#running === undefined && this.#waiting === 0
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
    this.#waiting += 1
    const result = this.#tail.then(step).finally(() => (this.#waiting -= 1))
    this.#tail = result.catch(() => undefined)
    return result
  }

  async #apply(space: AddressSpace): Promise<void> {
    const wanted = JSON.stringify([space.mqtt, space.addresses])
    if (this.#applied === wanted) return
    const status = await this.#follow(space)
    this.#applied = status.state === 'failed' ? undefined : wanted
    this.#host.report(this.#name, status)
  }

  async #follow(space: AddressSpace): Promise<SpaceStatus> {
    if (space.mqtt === undefined || space.mqtt === null) return this.#off()
    const parsed = parseConfig(space.mqtt)
    if ('errors' in parsed) return this.#failed(INVALID, parsed.errors)
    if (!parsed.value.enabled) return this.#off()
    try {
      return { state: 'ready', listeners: await this.#run(space, parsed.value) }
    } catch (error) {
      return this.#failed(reasonOf(error, parsed.value.listener), [])
    }
  }

  async #run(space: AddressSpace, config: Config): Promise<RunningSpace['listeners']> {
    if (this.#running?.canFollow(config) === false) await this.#stop(Date.now())
    if (this.#running === undefined)
      this.#running = await RunningSpace.start(this.#host, space, config, this.#roles)
    else await this.#running.change(space, config)
    return this.#running.listeners
  }

  async #off(): Promise<SpaceStatus> {
    await this.#stop(Date.now())
    return { state: 'off' }
  }

  #failed(reason: string, errors: Failed['errors']): Failed {
    return { state: 'failed', reason, errors, listeners: this.#running?.listeners ?? [] }
  }

  async #stop(deadline: number): Promise<void> {
    const running = this.#running
    this.#running = undefined
    this.#applied = undefined
    await running?.stop(deadline)
  }
}
