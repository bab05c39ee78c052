// The examples for pure AMQP clients on a broker, over the listener beside it: of the process that has the services, and of another one.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeExamples, type SceneServer } from '../examples/session-scene.js'
import { SERVICE, type ArtemisBroker } from '../fixtures/artemis.js'
import { withArtemis } from '../fixtures/artemis-suite.js'
import { Program, TemporaryDirectory, type ReadySpace } from '../fixtures/program.js'

const portOf = (address: string | undefined): number => Number(address?.split(':').at(-1))

const STOPPED = { code: 0, signal: null }

/** Programs on one broker, started one after the other: the first has the services, the last the AMQP clients. */
class Programs implements SceneServer {
  readonly user = { name: 'full', password: 'full secret' }
  readonly #broker: () => ArtemisBroker
  readonly #count: number
  readonly #directory = new TemporaryDirectory()
  readonly #programs: Program[] = []
  #last: ReadySpace | undefined

  constructor(broker: () => ArtemisBroker, count: number) {
    this.#broker = broker
    this.#count = count
  }

  get amqpPort(): number {
    assert.notEqual(portOf(this.#last?.amqp), this.#broker().port)
    return portOf(this.#last?.amqp)
  }
  get mqttPort(): number {
    return portOf(this.#last?.mqtt[0])
  }

  async start(): Promise<void> {
    const file = join(this.#directory.path, 'artemis.json')
    const space = {
      name: 'default',
      service: SERVICE,
      amqp: { port: 0, besideBroker: true },
      mqtt: { listener: { host: '127.0.0.1', port: 0 } }
    }
    const broker = { port: this.#broker().port }
    writeFileSync(file, JSON.stringify({ host: { kind: 'artemis', broker }, spaces: [space] }))
    for (let i = 0; i < this.#count; i++) {
      const program = new Program(['--config', file])
      this.#programs.push(program)
      ;[this.#last] = await program.ready()
    }
  }

  async end(): Promise<void> {
    for (const program of this.#programs.splice(0)) assert.deepEqual(await program.stop(), STOPPED)
    this.#directory.remove()
  }
}

describe('examples: a session of a pure AMQP client beside ActiveMQ Artemis', () => {
  withArtemis([], broker => {
    describe('in the process of the services', () => {
      describeExamples(() => new Programs(broker, 1))
    })
    describe('in another process', () => {
      describeExamples(() => new Programs(broker, 2))
    })
  })
})
