// The examples for pure AMQP clients on the embedded host, and on a listener beside a host: the services are in its process, or in another.

import assert from 'node:assert/strict'
import type { AmqpListener } from '../../adapters/rhea/listener/listener.js'
import { ServedSpace } from '../../adapters/rhea/serving/served-space.js'
import { RunningGateway } from '../fixtures/gateway.js'
import { RunningProgram } from '../fixtures/program.js'
import { describeExamples, type SceneServer } from './session-scene.js'

/** `elsewhere`: the listener is of another process than the services. */
class Beside implements SceneServer {
  readonly #elsewhere: boolean
  #gateway: RunningGateway | undefined
  #listener: AmqpListener | undefined

  constructor(elsewhere: boolean) {
    this.#elsewhere = elsewhere
  }

  get amqpPort(): number {
    return this.#listener?.port ?? assert.fail('not started')
  }
  get mqttPort(): number {
    return this.#gateway?.port ?? assert.fail('not started')
  }

  async start(): Promise<void> {
    let served: ServedSpace | undefined
    const gateway = await RunningGateway.start({ wrap: space => (served = new ServedSpace(space)) })
    this.#gateway = gateway
    const beside = this.#elsewhere || served === undefined ? new ServedSpace(gateway.space) : served
    this.#listener = await beside.listen({ host: '127.0.0.1', port: 0, log: gateway.host.log })
  }

  async end(): Promise<void> {
    await this.#listener?.close()
    await this.#gateway?.stop()
  }
}

describe('examples: a session of a pure AMQP client', () => {
  describeExamples(() => new RunningProgram())
})

describe('examples: a session of a pure AMQP client of a listener beside the host', () => {
  describeExamples(() => new Beside(false))
})

describe('examples: a session of a pure AMQP client of a listener beside the host, in another process than the services', () => {
  describeExamples(() => new Beside(true))
})
