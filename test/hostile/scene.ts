// A server in a process of its own, with a witness: what every test of hostile clients needs.
// Rule: whatever the test does, the witness loses nothing, the process lives, and it logs no error.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { peakRssBytes, rssBytes } from '../../bench/proc.js'
import { connect, type ConnectFields } from '../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../fixtures/mqtt-socket.js'
import { RunningProgram } from '../fixtures/program.js'
import { Witness, type Testimony } from '../fixtures/witness.js'

/** The sizes of the long run in place of those for every day. */
export const SOAK = process.env['SOAK'] !== undefined

const MIB = 1024 * 1024

export interface SpaceOptions {
  readonly mqtt?: object
  readonly amqp?: object
  readonly addresses?: readonly object[]
}

export class Scene {
  readonly server = new RunningProgram()
  /** resident memory with the witness and nothing else, MiB */
  restMib = 0
  readonly #clients = new Set<MqttSocket>()
  #witness: Witness | undefined

  /** `space`: of the configuration, beside its ports. */
  static async start(space: SpaceOptions = {}): Promise<Scene> {
    const scene = new Scene()
    const file = join(scene.server.directory.path, 'config.json')
    const mqtt = { listener: { port: 0 }, ...space.mqtt }
    writeFileSync(file, JSON.stringify({ spaces: [{ name: 'default', ...space, mqtt }] }))
    await scene.server.start('--config', file)
    scene.#witness = await Witness.start(scene.server.mqttPort)
    scene.restMib = scene.residentMib
    return scene
  }

  get residentMib(): number {
    return rssBytes(this.server.program.pid) / MIB
  }

  /** The most it ever took over what it had at rest, MiB. */
  get grownMib(): number {
    return peakRssBytes(this.server.program.pid) / MIB - this.restMib
  }

  /**
   * Has `half` done twice: how much the most that it took rose in the second half, MiB. What is not collected yet fills up once;
   * what is kept grows with what is done.
   */
  async grownAgainMib(half: () => Promise<void>): Promise<number> {
    await half()
    const before = this.grownMib
    await half()
    return this.grownMib - before
  }

  /** Log lines with this message. */
  linesOf(message: string): number {
    return this.server.program.log.filter(({ msg }) => msg === message).length
  }

  async open(): Promise<MqttSocket> {
    const client = await MqttSocket.open(this.server.mqttPort)
    this.#clients.add(client)
    return client
  }

  async connect(clientId: string, fields: ConnectFields = {}): Promise<MqttSocket> {
    const client = await this.open()
    client.send(connect({ clientId, ...fields }))
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent: false, returnCode: 0 })
    return client
  }

  /** What the witness says; then the server must stop in order. */
  async finish(): Promise<Testimony> {
    const witness = this.#witness
    assert.ok(witness !== undefined)
    const testimony = await witness.finish()
    for (const client of this.#clients) client.destroy()
    const errors = this.server.program.log.filter(({ level }) => level === 'error')
    assert.deepEqual(errors, [])
    assert.deepEqual(await this.server.stop(), { code: 0, signal: null })
    assert.equal(this.server.program.stderr, '')
    return testimony
  }

  /** Leaves nothing, after a failure too. */
  async end(): Promise<void> {
    this.#witness?.destroy()
    for (const client of this.#clients) client.destroy()
    await this.server.end()
  }
}

/** What a run found out, for whoever reads its output. */
export function tell(what: string, figures: Readonly<Record<string, number>>): void {
  const shown = Object.entries(figures).map(([name, value]) => `${name} ${Number(value.toFixed(1))}`)
  process.stdout.write(`    ${what}: ${shown.join(', ')}\n`)
}

/** `task` for each number below `count`, at most `atOnce` at a time. */
export async function inParallel(
  count: number,
  atOnce: number,
  task: (index: number) => Promise<void>
): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < count) await task(next++)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, work))
}
