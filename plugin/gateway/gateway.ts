// The MQTT gateway of one address space: listens, and keeps what its clients share.
// Rule: stopping refuses new connections first, finishes what was taken, then closes clients; the deadline cuts it short.

import { randomUUID } from 'node:crypto'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { Config } from '../config.js'
import { BridgeError } from '../errors.js'
import type { AddressSpace, AmqpConnection, Counter, Logger } from '../host.js'
import type { SpaceMetrics } from '../metrics.js'
import type { SessionOptions } from '../session/types.js'
import { Bridge } from './bridge.js'
import { Clients } from './clients.js'
import { SocketFlusher } from './client-socket.js'
import type { GatewayParts } from './gateway-parts.js'
import { PublishCache } from './packet-stream.js'
import { Inbox } from './inbox.js'
import { SubscriptionRequests } from './subscription-requests.js'
import { Uids } from './uids.js'

/** Bytes of a client's socket buffer before its publications wait in its session. */
const SOCKET_BUFFER_BYTES = 65536
/** Time to let go of clients that are cut off. */
const CUT_OFF_MS = 500

export interface GatewayOptions {
  readonly space: AddressSpace
  readonly config: () => Config
  readonly log: Logger
  readonly metrics: SpaceMetrics
}

export class Gateway {
  readonly #parts: GatewayParts
  readonly #connection: AmqpConnection
  readonly #server: Server
  readonly #bridges = new Set<Bridge>()
  /** those of clients that ended and still have something to read, too */
  readonly #sockets = new Set<Socket>()
  #onEmpty: (() => void) | undefined

  private constructor(options: GatewayOptions, connection: AmqpConnection) {
    const { space, config, log, metrics } = options
    const byLabel = (
      name: 'mqtt_connects_total' | 'mqtt_disconnects_total',
      label: string
    ): ((value: string) => Counter) => {
      return value => metrics.counter(name, { [label]: value })
    }
    this.#connection = connection
    this.#parts = {
      space,
      config,
      log,
      clients: new Clients(),
      inbox: new Inbox(space, log),
      requests: new SubscriptionRequests(connection, () => config().services.timeoutMs),
      flusher: new SocketFlusher(),
      uids: new Uids(),
      encoding: new PublishCache(),
      counters: {
        inbound: metrics.countersByQos('mqtt_publications_inbound_total'),
        outbound: metrics.countersByQos('mqtt_publications_outbound_total'),
        dropped: metrics.countersByQos('mqtt_publications_dropped_total'),
        connects: byLabel('mqtt_connects_total', 'outcome'),
        disconnects: byLabel('mqtt_disconnects_total', 'reason')
      }
    }
    metrics.gauge('mqtt_connections', () => this.#bridges.size)
    metrics.gauge('mqtt_clients', () => this.#parts.clients.size)
    metrics.gauge('mqtt_inbox_sources', () => this.#parts.inbox.sourceCount)
    this.#server = createServer({ highWaterMark: SOCKET_BUFFER_BYTES }, socket => this.#onSocket(socket))
  }

  /** Listens; rejects with the system's error (EADDRINUSE, …) where it cannot. */
  static async start(options: GatewayOptions): Promise<Gateway> {
    const connection = await options.space.connect('service')
    const gateway = new Gateway(options, connection)
    try {
      await gateway.#listen()
      return gateway
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  get address(): { readonly host: string; readonly port: number } {
    const { address, port } = this.#server.address() as AddressInfo
    return { host: address, port }
  }

  /** `deadline`: ms since 1970; what the host and clients have not finished then is cut off. */
  async stop(deadline: number): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    const empty = new Promise<void>(resolve => (this.#onEmpty = resolve))
    if (this.#bridges.size === 0) this.#onEmpty?.()
    const error = new BridgeError('serverShuttingDown', 'the gateway stops')
    for (const bridge of this.#bridges) bridge.drain(error)
    const finished = Promise.all([closed, empty])
    await within(deadline - Date.now(), finished)
    for (const bridge of this.#bridges) void bridge.end(error)
    for (const socket of this.#sockets) socket.destroy()
    await within(CUT_OFF_MS, finished)
    if (this.#bridges.size > 0)
      this.#parts.log.warn(
        { clients: this.#bridges.size },
        'clients were left to a host that does not answer'
      )
    await this.#parts.requests.close()
    await this.#connection.close()
  }

  #listen(): Promise<void> {
    const { host, port } = this.#parts.config().listener
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off('error', reject)
        this.#server.on('error', error => this.#parts.log.error({ err: error }, 'the MQTT listener failed'))
        resolve()
      })
    })
  }

  #onSocket(socket: Socket): void {
    const bridge = new Bridge(this.#parts, socket, this.#sessionOptions(), ended => {
      this.#bridges.delete(ended)
      if (this.#bridges.size === 0) this.#onEmpty?.()
    })
    this.#bridges.add(bridge)
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  #sessionOptions(): SessionOptions {
    const { limits, publish } = this.#parts.config()
    return {
      connectTimeoutMs: limits.connectTimeoutMs,
      receiveMaximum: limits.receiveMaximum,
      bufferedBytes: limits.bufferedBytes,
      topicLevels: limits.topicLevels,
      topicBytes: limits.topicBytes,
      publishRetries: publish.retries,
      makeClientId: () => `mqtt-${randomUUID()}`,
      makeUid: () => this.#parts.uids.next()
    }
  }
}

/** Resolves when `done` does, after `ms` at the latest. */
async function within(ms: number, done: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>(resolve => (timer = setTimeout(resolve, Math.max(0, ms))))
  await Promise.race([done, late])
  clearTimeout(timer)
}
