// The MQTT gateway of one address space: listens, and keeps what its clients share.
// Rule: stopping refuses new connections first, finishes what was taken, then closes clients; the deadline cuts it short.

import type { Socket } from 'node:net'
import type { Config } from '../config.js'
import { BridgeError } from '../errors.js'
import type { Address, AddressSpace, Counter, Logger } from '../host.js'
import type { SpaceMetrics } from '../metrics.js'
import { Bridge } from './bridge.js'
import { ClientOptions } from './client-options.js'
import { Clients } from './clients.js'
import { Control } from './control.js'
import { SocketFlusher } from './client-socket.js'
import { Crowd } from './crowd.js'
import type { GatewayParts } from './gateway-parts.js'
import { PublishCache } from './packet-stream.js'
import { Inbox } from './inbox.js'
import { ReplayChannels } from './replay-channels.js'
import { Listener, type ListenerAddress } from './listener.js'
import { ServiceConnection } from '../service-connection.js'
import { SubscriptionRequests } from './subscription-requests.js'
import { within } from './within.js'

/** Time to let go of clients that are cut off. */
const CUT_OFF_MS = 500

export interface GatewayOptions {
  readonly space: AddressSpace
  /** what they are now */
  readonly config: () => Config
  readonly addresses: () => readonly Address[]
  readonly log: Logger
  readonly metrics: SpaceMetrics
}

export class Gateway {
  readonly #parts: GatewayParts
  readonly #connection: ServiceConnection
  #listener: Listener | undefined
  /** listeners that were left, until the last client that came by them has gone */
  readonly #left = new Set<Promise<void>>()
  readonly #bridges = new Set<Bridge>()
  /** those of clients that ended and still have something to read, too */
  readonly #sockets = new Set<Socket>()
  readonly #crowd: Crowd
  #onEmpty: (() => void) | undefined

  private constructor(options: GatewayOptions, connection: ServiceConnection) {
    const { space, config, addresses, log, metrics } = options
    this.#connection = connection
    this.#parts = {
      space,
      config,
      addresses,
      options: new ClientOptions(config()),
      peer: config().services.peer,
      log,
      clients: new Clients(),
      inbox: new Inbox(space, log),
      replays: new ReplayChannels(connection, log),
      requests: new SubscriptionRequests({
        connection,
        peer: config().services.peer,
        timeoutMs: () => config().services.timeoutMs,
        onNewService: () => this.#announceAgain()
      }),
      control: new Control(),
      flusher: new SocketFlusher(),
      encoding: new PublishCache(),
      counters: {
        inbound: metrics.countersByQos('mqtt_publications_inbound_total'),
        outbound: metrics.countersByQos('mqtt_publications_outbound_total'),
        dropped: metrics.countersByQos('mqtt_publications_dropped_total'),
        rejected: metrics.countersByQos('mqtt_publications_rejected_total'),
        connects: kept((protocol, outcome) => metrics.counter('mqtt_connects_total', { protocol, outcome })),
        disconnects: kept(reason => metrics.counter('mqtt_disconnects_total', { reason }))
      }
    }
    this.#crowd = new Crowd(log, metrics.counter('mqtt_connections_refused_total'))
    metrics.gauge('mqtt_connections', () => this.#bridges.size)
    metrics.gauge('mqtt_clients', () => this.#parts.clients.size)
    metrics.gauge('mqtt_inbox_sources', () => this.#parts.inbox.sourceCount)
  }

  /** Listens; rejects with the system's error (EADDRINUSE, …) where it cannot. */
  static async start(options: GatewayOptions): Promise<Gateway> {
    const connection = await ServiceConnection.open(options.space)
    const gateway = new Gateway(options, connection)
    const { clients, requests, control } = gateway.#parts
    const timeoutMs = (): number => options.config().services.takeoverTimeoutMs
    try {
      await control.open({ connection, clients, requests, timeoutMs, log: options.log })
      gateway.#listener = await gateway.#listen(options.config().listener)
      return gateway
    } catch (error) {
      await control.close()
      await connection.close()
      throw error
    }
  }

  /** Where clients come in. */
  get addresses(): readonly ListenerAddress[] {
    return this.#listener === undefined ? [] : [this.#listener.address]
  }

  /**
   * Listens somewhere else; clients stay. Rejects with the system's error where it cannot, and listens on where it did. The new
   * listener is there before the old one goes, unless both need the same port.
   */
  async move(to: ListenerAddress): Promise<void> {
    const before = this.#listener
    try {
      this.#listener = await this.#listen(to)
      this.#leave(before)
    } catch (error) {
      if (before === undefined || before.address.port !== to.port || !isInUse(error)) throw error
      this.#listener = undefined
      this.#leave(before)
      try {
        this.#listener = await this.#listen(to)
      } catch (again) {
        this.#listener = await this.#listen(before.address)
        throw again
      }
    }
  }

  /** The configuration changed: what is connected follows it. */
  reconfigured(): void {
    this.#parts.options.follow(this.#parts.config())
    for (const bridge of this.#bridges) bridge.reconfigured()
  }

  /** `deadline`: ms since 1970; what the host and clients have not finished then is cut off. */
  async stop(deadline: number): Promise<void> {
    this.#leave(this.#listener)
    const closed = Promise.all(this.#left)
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
    await this.#parts.control.close()
    await this.#parts.requests.close()
    await this.#connection.close()
  }

  #announceAgain(): void {
    const { log } = this.#parts
    log.info(
      { clients: this.#parts.clients.size },
      'the clients are announced again to the subscription service'
    )
    for (const bridge of this.#bridges) bridge.announceAgain()
    this.#parts.replays.interrupt()
  }

  #listen(address: ListenerAddress): Promise<Listener> {
    return Listener.open(address, socket => this.#onSocket(socket), this.#parts.log)
  }

  #leave(listener: Listener | undefined): void {
    if (listener === undefined) return
    const closed = listener.close().then(() => void this.#left.delete(closed))
    this.#left.add(closed)
  }

  #onSocket(socket: Socket): void {
    const { connections } = this.#parts.config().limits
    if (this.#sockets.size >= connections) return this.#crowd.refuse(socket, connections)
    const bridge = new Bridge(this.#parts, socket, ended => {
      this.#bridges.delete(ended)
      if (this.#bridges.size === 0) this.#onEmpty?.()
    })
    this.#bridges.add(bridge)
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }
}

/** Each counter is looked up once. */
function kept<Labels extends readonly string[]>(
  lookUp: (...labels: Labels) => Counter
): (...labels: Labels) => Counter {
  const counters = new Map<string, Counter>()
  return (...labels) => {
    const key = labels.join(' ')
    let counter = counters.get(key)
    if (counter === undefined) counters.set(key, (counter = lookUp(...labels)))
    return counter
  }
}

const isInUse = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
