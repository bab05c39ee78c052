// Connections of ours to the AMQP listener, over a core whose every answer the test decides.

import { ConnectionPool, type PoolOptions } from '../../../adapters/rhea/connection-pool.js'
import type { Delivery, LinkClosed, Message } from '../../../plugin/host.js'
import { Signal } from '../../contract/signal.js'
import { transfer } from '../../fixtures/amqp-frames.js'
import { bytes } from '../../fixtures/amqp-links.js'
import { FakeCore } from '../../fixtures/fake-core.js'
import type { RawAmqp } from '../../fixtures/raw-amqp.js'

const OPTIONS = {
  host: '127.0.0.1',
  containerId: 'test',
  connectTimeoutMs: 5000,
  attachTimeoutMs: 5000,
  idleTimeOutMs: 30_000,
  maxSessions: 64,
  idleMs: 10_000
} as const

export class Scene {
  readonly core = new FakeCore()
  readonly deliveries: Delivery[] = []
  readonly closed: LinkClosed[] = []
  readonly #signal = new Signal(5000)
  readonly #pools: ConnectionPool[] = []

  readonly onDelivery = (delivery: Delivery): void => {
    this.deliveries.push(delivery)
    this.#signal.notify()
  }

  readonly onClosed = (closed: LinkClosed): void => {
    this.closed.push(closed)
    this.#signal.notify()
  }

  readonly onCredit = (): void => this.#signal.notify()

  /** Of connections to the core's listener. */
  async pool(
    options: Partial<PoolOptions> = {},
    listener: Parameters<FakeCore['listen']>[0] = {}
  ): Promise<ConnectionPool> {
    return this.poolTo(await this.core.listen(listener), options)
  }

  poolTo(port: number, options: Partial<PoolOptions> = {}): ConnectionPool {
    const pool = new ConnectionPool({ ...OPTIONS, port, ...options })
    this.#pools.push(pool)
    return pool
  }

  until<T>(read: () => T | undefined | false, what: string): Promise<T> {
    return this.#signal.until(
      () => read() || undefined,
      () => what
    )
  }

  async end(): Promise<void> {
    for (const pool of this.#pools) await pool.close()
    await this.core.close()
  }
}

export const message = (text: string): Message => ({
  durable: false,
  deliveryCount: 0,
  annotations: new Map(),
  properties: {},
  applicationProperties: new Map(),
  body: { type: 'value', value: text }
})

export const textOf = ({ body }: Message): unknown => (body.type === 'value' ? body.value : undefined)

/** Sends a message whose frames are three times `window`, the receiver's own, whose first has the transfer id `first`. */
export async function sendInPieces(peer: RawAmqp, first: number, window: number): Promise<void> {
  const whole = bytes('y'.repeat(6 * window))
  let left = window
  let frames: Buffer[] = []
  for (let at = 0; at < whole.length; at += 2) {
    if (left === 0) {
      peer.write(...frames)
      frames = []
      const sent = first + at / 2
      while (left <= 0) {
        const [next, wide] = (await peer.next('flow')).fields
        left = (Number(next) + Number(wide) - sent) | 0
      }
    }
    left--
    frames.push(transfer(whole.subarray(at, at + 2), { more: at + 2 < whole.length }))
  }
  peer.write(...frames)
}
