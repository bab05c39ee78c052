// One active Subscription Service per space, and who waits for its place.
// Rule: the host decides who is active, for it lets one alone serve the addresses; taking over is a restart. Who stands by asks
// again and again, for hosts have no event that says that an address is free.

import { Backoff } from '../backoff.js'
import { AmqpError, CONDITIONS } from '../errors.js'
import { SubscriptionService, type SubscriptionServiceOptions } from './subscription-service.js'

/** ms between attempts */
const MIN_DELAY_MS = 20
const MAX_DELAY_MS = 500

export class SubscriptionStandby {
  readonly #options: SubscriptionServiceOptions
  #active: SubscriptionService | undefined
  /** the attempts to become active, and what comes before them */
  #waiting: Promise<void> = Promise.resolve()
  #delay: { readonly timer: NodeJS.Timeout; readonly over: () => void } | undefined
  #stopped = false

  private constructor(options: SubscriptionServiceOptions) {
    this.#options = options
    options.metrics.gauge('mqtt_durable_sessions', () => this.#active?.durableCount ?? 0)
  }

  /** Resolves when it is active, or stands by. Rejects with AmqpError where the host refuses it. */
  static async start(options: SubscriptionServiceOptions): Promise<SubscriptionStandby> {
    const standby = new SubscriptionStandby(options)
    if (await standby.#activate()) return standby
    standby.#tell()
    standby.#waiting = standby.#standBy()
    return standby
  }

  /** The configuration has changed. */
  reconfigured(): void {
    this.#active?.reconfigured()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#delay?.timer)
    this.#delay?.over()
    await this.#waiting
    const active = this.#active
    this.#active = undefined
    await active?.stop()
  }

  #tell(): void {
    this.#options.log.info({}, 'another subscription service is active: this one stands by')
  }

  /** False where another one is active. */
  async #activate(): Promise<boolean> {
    let lost = false
    try {
      const service = await SubscriptionService.start(this.#options, () => {
        lost = true
        this.#lost()
      })
      if (lost) {
        await service.stop()
        throw new AmqpError(CONDITIONS.connectionForced, 'the host took the addresses away again')
      }
      this.#active = service
      return true
    } catch (error) {
      if (error instanceof AmqpError && error.condition === CONDITIONS.resourceLocked) return false
      throw error
    }
  }

  /** The host took the addresses away. */
  #lost(): void {
    const service = this.#active
    if (this.#stopped || service === undefined) return
    const { log } = this.#options
    this.#active = undefined
    log.warn({}, 'the host lost the subscription service: it starts again')
    this.#waiting = service
      .stop()
      .catch((error: unknown) => log.debug({ err: error }, 'a service that was lost was not closed'))
      .then(() => this.#standBy(CONDITIONS.connectionForced))
  }

  /** `told`: why not, as the log has it; the same is not told again. */
  async #standBy(told?: string): Promise<void> {
    const { log } = this.#options
    const backoff = new Backoff(MIN_DELAY_MS, MAX_DELAY_MS)
    for (;;) {
      await this.#pause(backoff.next())
      if (this.#stopped) return
      try {
        if (await this.#activate()) return log.info({}, 'the subscription service is active now')
        if (told !== undefined) this.#tell()
        told = undefined
      } catch (error) {
        const why = error instanceof AmqpError ? error.condition : String(error)
        if (why !== told) log.warn({ err: error }, 'a subscription service that stands by could not start')
        told = why
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => (this.#delay = { timer: setTimeout(resolve, ms), over: resolve }))
  }
}
