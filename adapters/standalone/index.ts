// The platform of one process: opens each space of the configuration, gives it to the plugin, and listens for AMQP clients.
// Rule: this is the composition root; a start that fails leaves nothing open.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import type { Logger } from '../../plugin/host.js'
import { plugin } from '../../plugin/index.js'
import { spaceLog } from '../../plugin/space-log.js'
import { openArtemisSpace } from '../artemis/index.js'
import { EmbeddedSpace, openEmbeddedSpace } from '../embedded/index.js'
import { openRemoteSpace, type RemoteSpace } from '../remote/index.js'
import { listenAmqp, type AmqpListener, type AmqpListenerOptions } from '../rhea/listener/listener.js'
import { ServedSpace } from '../rhea/serving/served-space.js'
import { brokerLimits, listenerLimits } from './amqp-limits.js'
import { describeErrors, type Configuration, type SpaceConfiguration } from './configuration.js'
import { brokerFailure, listenFailure, pluginFailure, storageFailure } from './failures.js'
import { StandaloneHost } from './host.js'
import { showBrokerMetrics, showListenerMetrics } from './host-metrics.js'
import type { Sample } from './metrics.js'
import { StartupError } from './startup-error.js'
import { Watch } from './watch.js'

type Space = EmbeddedSpace | RemoteSpace | ServedSpace

/** ms in which AMQP clients may answer that their connection closes */
const AMQP_CLOSE_MS = 2_000

/** Where a space is reached, as `host:port`; `mqtt` is empty where it is off. */
export interface ReadySpace {
  readonly name: string
  readonly mqtt: readonly string[]
  readonly amqp: string
}

export class StandaloneServer {
  readonly #configuration: Configuration
  readonly #source: string
  readonly #host: StandaloneHost
  readonly #spaces = new Set<Space>()
  readonly #listeners: AmqpListener[] = []
  readonly #watch: Watch

  /** `source` names the configuration in errors. */
  constructor(configuration: Configuration, source: string, log: Logger) {
    this.#configuration = configuration
    this.#source = source
    this.#host = new StandaloneHost(log)
    this.#watch = new Watch(configuration, this.#host)
    const { roles } = configuration
    plugin.register(this.#host, roles === undefined ? undefined : { roles })
  }

  /** All metrics as they are now. */
  get metrics(): readonly Sample[] {
    return this.#host.metrics.samples()
  }

  /** Where the HTTP listener is, as `host:port`; undefined: there is none. */
  get httpAddress(): string | undefined {
    const { address } = this.#watch
    return address === undefined ? undefined : formatAddress(address)
  }

  /**
   * Once. A space that does not start is logged and reported, and the others go on; throws StartupError with a line for each fault
   * where none starts.
   */
  async start(): Promise<readonly ReadySpace[]> {
    const { spaces, refused } = this.#configuration
    const ready: ReadySpace[] = []
    const failed = refused.map(({ name, errors }) => ({
      name,
      error: new StartupError(2, describeErrors(this.#source, errors))
    }))
    try {
      await this.#watch.open()
      for (const space of spaces) {
        const { name } = space
        const started = await this.#startSpace(space)
        if (started instanceof StartupError) failed.push({ name, error: started })
        else ready.push(started)
      }
      if (ready.length === 0) throw allFailed(failed.map(({ error }) => error))
    } catch (error) {
      await this.close(Date.now())
      throw error
    }
    for (const { name, error } of failed) this.#reportFailed(name, error)
    this.#watch.started()
    return ready
  }

  /**
   * Is ready no more, ends MQTT clients, then AMQP clients, then commits and closes the spaces. `deadline`, ms since 1970: clients
   * that have not finished then are cut off. Rejects when a part did not end well, after the other parts have.
   */
  async close(deadline: number): Promise<void> {
    this.#watch.draining()
    const faults: unknown[] = []
    const attempt = async (work: () => Promise<void>) => {
      try {
        await work()
      } catch (error) {
        faults.push(error)
      }
    }
    await attempt(() => before(deadline, this.#host.close(deadline)))
    for (const listener of this.#listeners.splice(0)) {
      await attempt(() => listener.close(Math.min(AMQP_CLOSE_MS, Math.max(0, deadline - Date.now()))))
    }
    for (const space of this.#spaces) await attempt(() => space.close())
    this.#spaces.clear()
    await attempt(() => this.#watch.close())
    if (faults.length > 0) throw new AggregateError(faults, 'not all parts closed')
  }

  #reportFailed(space: string, { message }: StartupError): void {
    const reasons = message.split('\n')
    this.#host.log.error({ space, reasons }, 'a space did not start')
    this.#host.report(space, { state: 'failed', reason: reasons.join('; '), errors: [], listeners: [] })
  }

  /** Or why not, with nothing of it left open. */
  async #startSpace(configuration: SpaceConfiguration): Promise<ReadySpace | StartupError> {
    let space: Space | undefined
    try {
      space = await this.#openSpace(configuration)
      return await this.#serveSpace(space, configuration)
    } catch (error) {
      if (!(error instanceof StartupError)) throw error
      if (space !== undefined) await this.#closeSpace(space)
      return error
    }
  }

  async #closeSpace(space: Space): Promise<void> {
    await this.#host.removeSpace(space.name)
    this.#spaces.delete(space)
    await space.close()
  }

  async #serveSpace(space: Space, configuration: SpaceConfiguration): Promise<ReadySpace> {
    const { name, pointer } = configuration
    // the services answer before the first AMQP client can ask for them
    await this.#host.addSpace(space)
    const status = this.#host.status(name)
    if (status?.state !== 'ready' && status?.state !== 'off') {
      throw pluginFailure(name, status, this.#source, `${pointer}/mqtt`)
    }
    const listeners = status.state === 'ready' ? status.listeners : []
    const amqp = await this.#reach(space, configuration)
    return { name, mqtt: listeners.map(formatAddress), amqp: formatAddress(amqp) }
  }

  /** Where AMQP clients reach the space. */
  async #reach(
    space: Space,
    configuration: SpaceConfiguration
  ): Promise<{ readonly host: string; readonly port: number }> {
    if (space instanceof EmbeddedSpace) {
      showBrokerMetrics(this.#host.metrics, space)
      return this.#listen(options => listenAmqp(space, options), configuration)
    }
    if (space instanceof ServedSpace && configuration.amqp.besideBroker)
      return this.#listen(options => space.listen(options), configuration)
    return this.#configuration.broker ?? this.#configuration.host.broker
  }

  async #openSpace(configuration: SpaceConfiguration): Promise<Space> {
    const { broker, host } = this.#configuration
    const { name, service, mqtt } = configuration
    if (host.kind === 'artemis') return this.#openArtemis(configuration)
    if (broker === undefined || service === undefined) return this.#openEmbedded(configuration)
    try {
      const log = spaceLog(this.#host.log, name)
      const space = await openRemoteSpace({ name, ...broker, service, mqtt, log })
      this.#spaces.add(space)
      return space
    } catch (error) {
      throw brokerFailure(broker, '--host', error)
    }
  }

  async #openArtemis(configuration: SpaceConfiguration): Promise<ServedSpace> {
    const { broker } = this.#configuration.host
    const { name, service, users, addresses, mqtt } = configuration
    if (service === undefined) throw new StartupError(2, `space ${name}: no service to log in at the broker`)
    try {
      const clientIds = Object.fromEntries(users.map(user => [user.name, user.clientIds]))
      const log = spaceLog(this.#host.log, name)
      const space = new ServedSpace(
        await openArtemisSpace({ name, ...broker, service, clientIds, addresses, mqtt, log })
      )
      this.#spaces.add(space)
      return space
    } catch (error) {
      throw brokerFailure(broker, 'host.broker', error)
    }
  }

  async #openEmbedded(configuration: SpaceConfiguration): Promise<EmbeddedSpace> {
    const directory = join(this.#configuration.host.dataDirectory, configuration.name)
    try {
      await mkdir(directory, { recursive: true })
      const space = await openEmbeddedSpace({
        name: configuration.name,
        directory,
        anonymous: configuration.anonymous,
        users: configuration.users,
        service: configuration.service,
        addresses: configuration.addresses,
        mqtt: configuration.mqtt,
        limits: brokerLimits(configuration.amqp.limits),
        log: spaceLog(this.#host.log, configuration.name)
      })
      this.#spaces.add(space)
      return space
    } catch (error) {
      throw storageFailure(directory, error)
    }
  }

  async #listen(
    open: (options: AmqpListenerOptions) => Promise<AmqpListener>,
    configuration: SpaceConfiguration
  ): Promise<AmqpListener> {
    try {
      const { name, amqp } = configuration
      const { host, port, limits } = amqp
      const listener = await open({
        ...{ host, port, log: spaceLog(this.#host.log, name) },
        ...listenerLimits(limits)
      })
      this.#listeners.push(listener)
      showListenerMetrics(this.#host.metrics, name, listener)
      return listener
    } catch (error) {
      throw listenFailure(configuration, error)
    }
  }
}

/** Exit code 2 where it was a configuration alone. */
function allFailed(errors: readonly StartupError[]): StartupError {
  const exitCode = errors.every(error => error.exitCode === 2) ? 2 : 1
  return new StartupError(exitCode, errors.map(({ message }) => message).join('\n'))
}

/** Resolves with `work`, or at `deadline` without it: what it still holds is then closed under it. */
async function before(deadline: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>(resolve => {
    timer = setTimeout(resolve, Math.max(0, deadline - Date.now()))
  })
  await Promise.race([work, timeout]).finally(() => clearTimeout(timer))
}

function formatAddress({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
