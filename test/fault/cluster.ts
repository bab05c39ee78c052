// The scene of faults between processes: one has the broker and the data, two are gateways that use it, and two have the Subscription
// Service, be they processes of their own or the gateways.
// Rule: a process that is started again has the configuration and the ports that it had; nothing else is shared but the broker.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openRemoteSpace, type RemoteSpace } from '../../adapters/remote/index.js'
import { AmqpClient } from '../../bench/amqp/client.js'
import { LOG } from '../contract/embedded.js'
import { Program, TemporaryDirectory, type ReadySpace } from '../fixtures/program.js'

const SERVICE = { name: 'plugin', password: 'plugin secret' }

/** what the gateways' processes are */
export interface Shape {
  readonly name: string
  readonly gateways: string
}

export const APART: Shape = { name: 'with the services in processes of their own', gateways: 'gateway' }
export const TOGETHER: Shape = { name: 'each with a service in it', gateways: 'gateway,subscription' }

export interface ServiceTimes {
  readonly timeoutMs: number
  readonly takeoverTimeoutMs: number
}

type Args = (port: number) => readonly string[]
type PortOf = (space: ReadySpace) => string | undefined

/** One process of the cluster, through all its lives. */
export class Member {
  readonly #args: Args
  readonly #portOf: PortOf
  #program: Program | undefined
  /** where its clients come in; 0: none do */
  port = 0

  constructor(args: Args, portOf: PortOf) {
    this.#args = args
    this.#portOf = portOf
  }

  get program(): Program {
    if (this.#program === undefined) throw new Error('not started')
    return this.#program
  }

  async start(): Promise<void> {
    this.#program = new Program(this.#args(this.port))
    const [space] = await this.#program.ready()
    const address = space && this.#portOf(space)
    this.port = Number(address?.split(':').at(-1) ?? 0)
  }

  async kill(): Promise<void> {
    await this.#program?.kill()
  }
}

export class Cluster {
  readonly owner: Member
  readonly gateways: readonly [Member, Member]
  readonly services: readonly [Member, Member]
  /** those that use the broker */
  readonly users: ReadonlySet<Member>
  readonly #directory = new TemporaryDirectory()

  private constructor(times: ServiceTimes, shape: Shape) {
    const owner = this.#file('owner', {})
    const data = join(this.#directory.path, 'data')
    this.owner = new Member(
      port => ['--config', owner, '--data', data, '--amqp-port', String(port)],
      ({ amqp }) => amqp
    )
    const mqtt = this.#file('plugin', { mqtt: { services: times } })
    const broker = (): string[] => ['--config', mqtt, '--host', `amqp://127.0.0.1:${this.owner.port}`]
    const gateway = (): Member =>
      new Member(
        port => [...broker(), '--roles', shape.gateways, '--mqtt-port', String(port)],
        space => space.mqtt[0]
      )
    const service = (): Member =>
      new Member(
        () => [...broker(), '--roles', 'subscription'],
        () => undefined
      )
    this.gateways = [gateway(), gateway()]
    this.services = shape === APART ? [service(), service()] : this.gateways
    this.users = new Set([...this.services, ...this.gateways])
  }

  /** All of them run, and the first service is the active one. */
  static async open(times: ServiceTimes, shape = APART): Promise<Cluster> {
    const cluster = new Cluster(times, shape)
    const [first, ...rest] = cluster.users
    try {
      await cluster.owner.start()
      await first?.start()
      await Promise.all(rest.map(member => member.start()))
      return cluster
    } catch (error) {
      await cluster.close()
      throw error
    }
  }

  /** A pure AMQP client at the broker. */
  amqp(): Promise<AmqpClient> {
    return AmqpClient.connect(this.owner.port)
  }

  /** The broker as the plugin has it; to be closed. */
  host(): Promise<RemoteSpace> {
    const { port } = this.owner
    return openRemoteSpace({ host: '127.0.0.1', port, service: SERVICE, mqtt: {}, log: LOG })
  }

  /** Ends them all and removes the data. */
  async close(): Promise<void> {
    await Promise.all([this.owner, ...this.users].map(member => member.kill()))
    this.#directory.remove()
  }

  #file(name: string, space: object): string {
    const file = join(this.#directory.path, `${name}.json`)
    writeFileSync(file, JSON.stringify({ spaces: [{ name: 'default', service: SERVICE, ...space }] }))
    return file
  }
}
