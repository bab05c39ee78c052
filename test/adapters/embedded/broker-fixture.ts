// A space in a directory of its own for tests of the broker core, with a clock and a log that a test reads.
// Rule: what a test opens is closed and removed after it.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  openEmbeddedSpace,
  type EmbeddedConnection,
  type EmbeddedSpace,
  type EmbeddedSpaceOptions
} from '../../../adapters/embedded/index.js'
import type { CoreDelivery } from '../../../adapters/rhea/listener/bridge.js'
import type {
  LinkClosed,
  Logger,
  Message,
  MessageProperties,
  Outcome,
  Receiver
} from '../../../plugin/host.js'
import { crashCopy } from '../../fixtures/crash-copy.js'

export const ACCEPTED: Outcome = { type: 'accepted' }
export const RELEASED: Outcome = { type: 'released' }
export const FAILED: Outcome = { type: 'modified', deliveryFailed: true, undeliverableHere: false }

export function message(text: string, options: Partial<Message> = {}): Message {
  return {
    durable: true,
    deliveryCount: 0,
    annotations: new Map(),
    properties: {},
    applicationProperties: new Map(),
    body: { type: 'value', value: text },
    ...options
  }
}

export const fleeting = (text: string, properties: MessageProperties = {}): Message =>
  message(text, { durable: false, properties })

export function textOf({ body }: Message): string {
  assert.ok(body.type === 'value' && typeof body.value === 'string')
  return body.value
}

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly fields: object
}

export function recordingLog(lines: LogLine[]): Logger {
  const at =
    (level: string) =>
    (fields: object, message: string): void => {
      lines.push({ level, message, fields })
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** What a receiver got, and has not settled unless it accepts at once. */
export interface Received {
  readonly receiver: Receiver
  readonly deliveries: CoreDelivery[]
  readonly closed: LinkClosed[]
  texts(): string[]
}

export class Bench {
  readonly lines: LogLine[] = []
  readonly #root: string
  readonly #crashed: EmbeddedSpace[] = []
  #directory: string
  #options: Partial<EmbeddedSpaceOptions>
  #space: EmbeddedSpace | undefined
  now = 1_700_000_000_000

  private constructor(directory: string, options: Partial<EmbeddedSpaceOptions>) {
    this.#root = directory
    this.#directory = join(directory, 'data')
    this.#options = options
  }

  static async open(options: Partial<EmbeddedSpaceOptions> = {}): Promise<Bench> {
    const bench = new Bench(await mkdtemp(join(tmpdir(), 'broker-')), options)
    await bench.start()
    return bench
  }

  get directory(): string {
    return this.#directory
  }

  get space(): EmbeddedSpace {
    assert.ok(this.#space)
    return this.#space
  }

  async start(options: Partial<EmbeddedSpaceOptions> = {}): Promise<EmbeddedSpace> {
    this.#options = { ...this.#options, ...options }
    this.#space = await openEmbeddedSpace({
      name: 'test',
      directory: this.#directory,
      users: [],
      anonymous: true,
      addresses: [{ name: 'work', type: 'queue' }],
      mqtt: undefined,
      log: recordingLog(this.lines),
      now: () => this.now,
      ...this.#options
    })
    return this.#space
  }

  async stop(): Promise<void> {
    await this.#space?.close()
    this.#space = undefined
  }

  async restart(): Promise<EmbeddedSpace> {
    await this.stop()
    return this.start()
  }

  /** Opens what is on disk at this moment; the space that was open goes on with files of its own. */
  async crash(): Promise<EmbeddedSpace> {
    this.#crashed.push(this.space)
    const copy = join(this.#root, `data-${this.#crashed.length}`)
    crashCopy(this.#directory, copy)
    this.#directory = copy
    return this.start()
  }

  async close(): Promise<void> {
    await this.stop()
    for (const space of this.#crashed) await space.close()
    await rm(this.#root, { recursive: true, force: true })
  }
}

/** Sends, and resolves with the outcome. */
export async function send(connection: EmbeddedConnection, address: string, sent: Message): Promise<Outcome> {
  const sender = await connection.openSender({ address })
  const outcome = await new Promise<Outcome>(resolve => sender.send(sent, resolve))
  await sender.close()
  return outcome
}

/** Attaches a receiver; `accepting`: it accepts at once. */
export async function receive(
  connection: EmbeddedConnection,
  address: string | undefined,
  options: { window?: number; accepting?: boolean; exclusive?: boolean; browse?: boolean } = {}
): Promise<Received> {
  const { window = 100, accepting = false, exclusive, browse } = options
  const deliveries: CoreDelivery[] = []
  const closed: LinkClosed[] = []
  const receiver = await connection.openReceiver({
    address,
    window,
    exclusive,
    browse,
    onDelivery: delivery => {
      deliveries.push(delivery)
      if (accepting) delivery.settle(ACCEPTED)
    },
    onClosed: cause => closed.push(cause)
  })
  return { receiver, deliveries, closed, texts: () => deliveries.map(({ message: got }) => textOf(got)) }
}

/** All that is in the queue, taken out of it. */
export async function empty(connection: EmbeddedConnection, queue: string): Promise<Received> {
  const received = await receive(connection, queue, { window: 0, accepting: true })
  received.receiver.addCredit(1_000_000)
  await received.receiver.drain()
  await received.receiver.close()
  return received
}

/** The event loop's next turn: what a broker does by itself has been done. */
export const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** Limits of queues so small that a few messages page. */
export const SMALL_QUEUES = { queueMessages: 8, idleQueueMessages: 3, headLag: 2 }

export const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => String(from + i))

/** Sends all to the queue `work` at once; resolves when all are accepted. */
export async function fillWork(
  connection: EmbeddedConnection,
  texts: readonly string[],
  durable: (index: number) => boolean = () => true
): Promise<void> {
  const sender = await connection.openSender({ address: 'work' })
  const outcomes = texts.map(
    (text, i) =>
      new Promise<Outcome>(resolve => sender.send(durable(i) ? message(text) : fleeting(text), resolve))
  )
  for (const outcome of await Promise.all(outcomes)) assert.deepEqual(outcome, ACCEPTED)
}
