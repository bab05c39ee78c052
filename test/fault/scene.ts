// The scene of every fault: a server on a data directory, a durable queue of a pure AMQP client, and publishers with QoS 1 into it.
// Rule: the fault comes at an instant that the seed chooses; nothing waits for time to pass.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AmqpClient } from '../../bench/amqp/client.js'
import { startOurs, type Ports } from '../../bench/servers/ours.js'
import type { ServerProcess } from '../../bench/servers/process.js'
import { drain, publishEnd } from './drained.js'
import { flowUntil } from './flow.js'
import { Publisher, type Label } from './publisher.js'
import type { Random } from './random.js'

export const CLIENT_ID = 'ledger'
const PUBLISHERS = 6

export class Scene {
  readonly publishers: readonly Publisher[] = Array.from(
    { length: PUBLISHERS },
    (_, i) => new Publisher(`p${i}`, `fault/flow/${i}`)
  )
  readonly #dataDir = mkdtempSync(join(tmpdir(), 'fault-'))
  #server: ServerProcess<Ports> | undefined

  /** A server on an empty data directory, and the queue with its routes. */
  static async open(): Promise<Scene> {
    const scene = new Scene()
    try {
      await scene.start()
      const amqp = await scene.amqp()
      await amqp.subscribe(CLIENT_ID, { 'fault/#': '1' })
      await amqp.close()
      return scene
    } catch (error) {
      await scene.close()
      throw error
    }
  }

  get server(): ServerProcess<Ports> {
    assert.ok(this.#server, 'the server runs')
    return this.#server
  }

  /** Starts the server, on what is in the data directory. */
  async start(): Promise<void> {
    this.#server = await startOurs({ dataDir: this.#dataDir })
  }

  amqp(): Promise<AmqpClient> {
    return AmqpClient.connect(this.server.ready.amqpPort)
  }

  /** All publishers publish until the fault; resolves when the number of acknowledgements that the seed chose has come, and a bit later. */
  async flowUntil(random: Random): Promise<void> {
    const { mqttPort } = this.server.ready
    await flowUntil(this.publishers, () => mqttPort, random)
  }

  /** Resolves when no publisher has a connection any more: what is acknowledged is final. Returns that, by publisher. */
  async final(): Promise<ReadonlyMap<string, Acknowledged>> {
    await Promise.all(this.publishers.map(p => p.connectionLost()))
    return new Map(this.publishers.map(p => [p.name, p.count]))
  }

  /** The publishers send again what was not acknowledged, and then the queue is emptied: what came, in its order. */
  async resumeAndDrain(): Promise<readonly Label[]> {
    const { mqttPort } = this.server.ready
    await Promise.all(this.publishers.map(p => p.resume(mqttPort)))
    await publishEnd(mqttPort)
    const amqp = await this.amqp()
    const labels = await drain(amqp, CLIENT_ID)
    await amqp.close()
    return labels
  }

  /** Ends the server and removes its data. */
  async close(): Promise<void> {
    await this.#server?.kill()
    rmSync(this.#dataDir, { recursive: true, force: true })
  }
}

export interface Acknowledged {
  readonly sent: number
  readonly acknowledged: number
}
