// An embedded host in a temporary directory, two gateways and two Subscription Services on it, each as a process that can be killed.
// Rule: a kill is one moment. What a killed process had written to its clients and they had not read is lost with it; whoever was
// connected hears of the kill before anything else happens.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedSpace, type EmbeddedSpace } from '../../adapters/embedded/index.js'
import { crashCopy } from '../fixtures/crash-copy.js'
import { mqttOptions, RunningGateway, type LogLine } from '../fixtures/gateway.js'
import { Killable } from '../fixtures/killable.js'
import type { EndReason } from './history.js'

/** Few enough that a client which acknowledges late stops its deliveries. */
const RECEIVE_MAXIMUM = 4
const MQTT = mqttOptions({ limits: { receiveMaximum: RECEIVE_MAXIMUM } })

/** A client at a gateway, or at the host. */
export interface Connected {
  /** What served it is gone. */
  cut(reason: EndReason): void
}

/** Who is connected to one process, or to one host. */
export class Company {
  readonly #connected = new Set<Connected>()
  #cut: EndReason | undefined

  /** Who comes when it is gone is cut off at once. */
  add(connected: Connected): void {
    if (this.#cut === undefined) this.#connected.add(connected)
    else connected.cut(this.#cut)
  }

  cut(reason: EndReason): void {
    this.#cut = reason
    for (const each of this.#connected) each.cut(reason)
    this.#connected.clear()
  }
}

class Process {
  readonly connected = new Company()
  readonly #killable = new Killable()
  readonly #running: Promise<RunningGateway>

  constructor(space: EmbeddedSpace, role: 'gateway' | 'subscription') {
    this.#running = RunningGateway.start({
      ...{ on: space, roles: [role], mqtt: MQTT, wrap: this.#killable.wrap }
    })
    // whoever needs it learns that it could not start
    this.#running.catch(() => undefined)
  }

  get running(): Promise<RunningGateway> {
    return this.#running
  }

  kill(): void {
    this.#killable.kill()
  }

  /** What it logged as an error; one that was killed may have complained. */
  async stop(): Promise<readonly LogLine[]> {
    const running = await this.#running
    const errors = running.take('error')
    await running.stop()
    return errors
  }

  /** Ends what is left of it after a kill. */
  async bury(): Promise<void> {
    const running = await this.#running.catch(() => undefined)
    running?.take('error')
    await running?.closeHost(Date.now())
    running?.take('error')
    await running?.stop()
  }
}

export class World {
  readonly #root: string
  #hosts = 0
  #space: EmbeddedSpace
  #gateways: [Process, Process]
  #services: [Process, Process]
  #down: Promise<unknown> = Promise.resolve()
  readonly #burials: Promise<void>[] = []
  readonly #logged: LogLine[] = []
  /** AMQP clients */
  #atHost = new Company()

  private constructor(root: string, space: EmbeddedSpace) {
    this.#root = root
    this.#space = space
    this.#services = [new Process(space, 'subscription'), new Process(space, 'subscription')]
    this.#gateways = [new Process(space, 'gateway'), new Process(space, 'gateway')]
  }

  static async open(): Promise<World> {
    const root = await mkdtemp(join(tmpdir(), 'model-'))
    const world = new World(root, await openSpace(join(root, '0')))
    await world.up()
    return world
  }

  get space(): EmbeddedSpace {
    return this.#space
  }

  /** Resolves when everything runs. */
  async up(): Promise<void> {
    await Promise.all([this.gateway(0), this.gateway(1), ...this.#services.map(({ running }) => running)])
  }

  /** The port of a gateway, when it runs, and where its clients are known. */
  async gateway(index: 0 | 1): Promise<{ readonly port: number; readonly connected: Company }> {
    const gateway = await this.#steady(() => this.#gateways[index])
    const running = await gateway.running
    // killed while it started: another one has its place
    if (gateway !== (await this.#steady(() => this.#gateways[index]))) return this.gateway(index)
    return { port: running.port, connected: gateway.connected }
  }

  /** The host, when it runs, and where its clients are known. */
  async host(): Promise<{ readonly space: EmbeddedSpace; readonly connected: Company }> {
    return this.#steady(() => ({ space: this.#space, connected: this.#atHost }))
  }

  /** The gateway is gone, and another one starts in its place. */
  killGateway(index: 0 | 1): void {
    const gateway = this.#gateways[index]
    gateway.connected.cut('kill')
    gateway.kill()
    this.#gateways[index] = new Process(this.#space, 'gateway')
    this.#bury(gateway)
  }

  /** The service that is active is gone: the other one takes its place, and another one stands by. */
  killService(): void {
    const [active, standby] = this.#services
    active.kill()
    this.#services = [standby, new Process(this.#space, 'subscription')]
    this.#bury(active)
  }

  /** Everything stops as it should, and starts again with what the host has kept. */
  async restart(): Promise<void> {
    await this.#again('restart', async () => {
      await this.#stopProcesses()
      await this.#space.close()
      return join(this.#root, String(this.#hosts))
    })
  }

  /** The machine is gone; what was on disk at this moment is what the next one has. */
  async crash(): Promise<void> {
    await this.#again('crash', async () => {
      const processes = [...this.#gateways, ...this.#services]
      const space = this.#space
      const from = join(this.#root, String(this.#hosts))
      const to = join(this.#root, String(++this.#hosts))
      crashCopy(from, to)
      for (const process of processes) process.kill()
      await Promise.all(processes.map(process => process.bury()))
      await space.close()
      await rm(from, { recursive: true, force: true })
      return to
    })
  }

  /** What was logged as an error since the last time, by processes that were not killed; forgets all lines. */
  async takeErrors(): Promise<readonly LogLine[]> {
    await this.#down
    for (const { running } of [...this.#gateways, ...this.#services]) {
      const gateway = await running
      this.#logged.push(...gateway.take('error'))
      gateway.lines = []
    }
    return this.#logged.splice(0)
  }

  async close(): Promise<void> {
    await this.#down
    await this.#stopProcesses()
    await this.#space.close()
    await Promise.all(this.#burials)
    await rm(this.#root, { recursive: true, force: true })
  }

  /** What is there when nothing is down. */
  async #steady<T>(look: () => T): Promise<T> {
    for (;;) {
      const down = this.#down
      await down
      if (down === this.#down) return look()
    }
  }

  async #again(reason: EndReason, through: () => Promise<string>): Promise<void> {
    for (const gateway of this.#gateways) gateway.connected.cut(reason)
    this.#atHost.cut(reason)
    this.#atHost = new Company()
    const again = async (): Promise<void> => {
      this.#space = await openSpace(await through())
      const space = this.#space
      this.#services = [new Process(space, 'subscription'), new Process(space, 'subscription')]
      this.#gateways = [new Process(space, 'gateway'), new Process(space, 'gateway')]
    }
    // a crash is now; others wait for what comes of it
    this.#down = Promise.all([this.#down, again()])
    await this.#down
  }

  async #stopProcesses(): Promise<void> {
    for (const process of [...this.#gateways, ...this.#services]) this.#logged.push(...(await process.stop()))
  }

  /** Nobody waits for it but the end of this world. */
  #bury(process: Process): void {
    this.#burials.push(process.bury())
  }
}

const openSpace = (directory: string): Promise<EmbeddedSpace> =>
  openEmbeddedSpace({
    ...{ name: 'default', directory, users: [], anonymous: true, addresses: [], mqtt: undefined },
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing }
  })

function nothing(): void {}
