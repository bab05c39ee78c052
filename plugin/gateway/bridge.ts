// One MQTT connection: performs the actions of its session core, and turns what happens around it into events.
// Rule: no protocol decision is made here; everything that fails ends in one place, and a bug ends this client alone.

import type { Socket } from 'node:net'
import { BridgeError } from '../errors.js'
import type { Publication } from '../messages/publication.js'
import type { OutboundPacket, Qos } from '../mqtt/packets.js'
import { Session } from '../session/session.js'
import type { Action, OpenRequest, SessionEvent } from '../session/types.js'
import { ClientSocket } from './client-socket.js'
import { announceEnd } from './announcing.js'
import type { RegisteredClient } from './clients.js'
import { ConnectionCounts, levelOfEnd } from './connection-counts.js'
import { Departure } from './departure.js'
import type { GatewayParts } from './gateway-parts.js'
import { OpenedClient, type Opener } from './opened-client.js'
import { admit } from './opening.js'
import { encodePacket, PacketStream } from './packet-stream.js'
import { SessionDriver } from './session-driver.js'
import { connectionId } from './uids.js'

/** Packets of one client without their answer, those counted that wait for an answer before theirs. */
const MAX_UNANSWERED = 2000

export class Bridge implements Opener, RegisteredClient {
  readonly #parts: GatewayParts
  readonly #session: Session
  readonly #driver: SessionDriver
  readonly #stream: PacketStream
  readonly #socket: ClientSocket
  readonly #onEnded: (bridge: Bridge) => void
  readonly connection = connectionId()
  readonly #counts: ConnectionCounts
  #request: OpenRequest | undefined
  #opening: Promise<void> | undefined
  #opened: OpenedClient | undefined
  /** the service was told of a session that ends with this connection, and must be told of that */
  #announced = false
  #ended: Promise<void> | undefined
  #pumping = false
  #reading = true
  #socketClosed = false
  /** publications that the client was too slow for */
  #dropped = 0
  /** once the gateway wants it to leave */
  #departure: Departure | undefined

  /** Serves `socket`; `onEnded` runs once, when nothing of it is left. */
  constructor(parts: GatewayParts, socket: Socket, onEnded: (bridge: Bridge) => void) {
    const options = parts.options.values
    this.#parts = parts
    this.#counts = new ConnectionCounts(parts.counters)
    this.#onEnded = onEnded
    this.#session = new Session(options, performance.now())
    this.#driver = new SessionDriver(
      this.#session,
      action => this.#perform(action),
      error => this.failed(error)
    )
    this.#stream = new PacketStream(options)
    this.#socket = new ClientSocket(socket, parts.flusher, {
      onData: chunk => {
        this.#stream.push(chunk)
        this.#pump()
      },
      onClosed: () => {
        this.#socketClosed = true
        this.#pump()
      },
      onCongested: () => this.#driver.handle({ type: 'congested' }),
      onUncongested: () => {
        this.#driver.handle({ type: 'uncongested' })
        this.#pump()
      }
    })
  }

  deliver(publication: Publication, grantedQos: Qos, settle?: () => void): boolean {
    const size = publication.payload.length + publication.topic.length
    const dropped = this.#dropped
    this.#driver.handle({ type: 'delivery', delivery: { publication, grantedQos, size, settle } })
    return this.#dropped === dropped
  }

  sourceLost(filter: string): void {
    const error = new BridgeError('sourceLost', `publications of ${filter} were lost at the host`)
    this.#driver.handle({ type: 'end', error })
  }

  handle(event: SessionEvent): void {
    this.#driver.handle(event)
  }

  answered(): void {
    if (this.#reading) this.#departure?.check()
    else this.#pump()
  }

  ready(): void {
    this.#pump()
  }

  end(error: BridgeError): Promise<void> {
    this.#driver.handle({ type: 'end', error })
    return this.#ended ?? Promise.resolve()
  }

  /** The gateway's options changed. */
  reconfigured(): void {
    this.#driver.handle({ type: 'reconfigured' })
    this.#opened?.reconfigured()
  }

  /** Reads no more; ends with `error` when what was taken is answered. */
  drain(error: BridgeError): void {
    this.#depart().drain(error)
  }

  leave(error: BridgeError): void {
    if (this.#opened === undefined) void this.end(error)
    else this.#depart().leave(error)
  }

  #depart(): Departure {
    return (this.#departure ??= new Departure({
      socket: this.#socket,
      mayRead: () => this.#mayRead,
      unanswered: () => this.#opened?.unanswered ?? 0,
      pump: () => this.#pump(),
      end: error => void this.end(error)
    }))
  }

  /** The service may not know this client. */
  announceAgain(): void {
    if (this.#opened === undefined || this.#ended !== undefined) return
    this.#opened.announceAgain().catch((error: unknown) => {
      if (error instanceof BridgeError) void this.end(error)
      else this.failed(error)
    })
  }

  /** Only once the session is open, and no action comes before that. */
  get #client(): OpenedClient {
    if (this.#opened === undefined) throw new Error('an action came before the session was open')
    return this.#opened
  }

  get #mayRead(): boolean {
    if (this.#ended !== undefined || this.#departure?.takes === false || this.#socket.overfull) return false
    if (this.#opened === undefined) return this.#opening === undefined
    return this.#opened.ready && this.#session.unanswered < MAX_UNANSWERED
  }

  /** Takes packets as long as the host takes what is in them; then the socket waits. */
  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    while (this.#mayRead) {
      const packet = this.#stream.next()
      if (packet === undefined) break
      if (this.#opened === undefined) this.#counts.received(packet)
      this.#driver.handle(
        packet instanceof BridgeError ? { type: 'malformed', error: packet } : { type: 'packet', packet }
      )
    }
    this.#pumping = false
    if (this.#ended !== undefined) return
    this.#setReading(this.#mayRead && this.#departure?.reads !== false)
    this.#departure?.check()
    // what was received before the socket went is still the client's word
    if (
      this.#socketClosed &&
      (this.#mayRead || this.#departure?.takes === false || this.#opened === undefined)
    ) {
      this.#driver.handle({ type: 'disconnected' })
    }
  }

  #setReading(reading: boolean): void {
    if (reading === this.#reading) return
    this.#reading = reading
    this.#socket.setReading(reading)
    this.#driver.handle({ type: reading ? 'resumed' : 'paused' })
  }

  #perform(action: Action): void {
    switch (action.type) {
      case 'write':
        return this.#write(action.packet, action.publication)
      case 'settle':
        return action.delivery.settle?.(action.outcome)
      case 'send':
      case 'subscribe':
      case 'unsubscribe':
        return this.#client.perform(action)
      case 'open':
        this.#opening = this.#open(action.request)
        return
      case 'dropped':
        this.#dropped += 1
        return this.#parts.counters.dropped[action.qos].add(1)
      case 'warn':
        return this.#parts.log.warn({ ...this.#who(), ...action.fields }, action.message)
      case 'close':
        return this.#close(action.error)
      default:
        return action satisfies never
    }
  }

  #write(packet: OutboundPacket, publication: Publication | undefined): void {
    if (packet.cmd === 'publish') this.#parts.counters.outbound[packet.qos].add(1)
    this.#socket.write(encodePacket(packet, publication, this.#parts.encoding))
  }

  async #open(request: OpenRequest): Promise<void> {
    this.#request = request
    const { clientId, cleanSession } = request
    try {
      const principal = await admit(this.#parts, this, request)
      if (this.#ended !== undefined) return
      this.#announced = cleanSession
      const identity = { clientId, connection: this.connection, principal }
      const { opened, sessionPresent } = await OpenedClient.open(this.#parts, this, identity, cleanSession)
      if (this.#ended !== undefined) return await opened.close(() => [])
      this.#opened = opened
      this.#stream.accepted(request.protocolVersion)
      this.#driver.handle({ type: 'opened', sessionPresent })
      opened.connected()
      this.#counts.accepted()
      this.#pump()
    } catch (error) {
      if (!(error instanceof BridgeError)) return this.failed(error)
      this.#parts.log.warn(this.#why(error), 'a CONNECT was refused')
      this.#driver.handle({ type: 'refused', error })
    }
  }

  /** A bug, here or in the host: told as such, and the end of this client alone. */
  failed(error: unknown): void {
    this.#parts.log.error({ ...this.#who(), err: error }, 'a client connection failed')
    this.#close(new BridgeError('serverUnavailable', 'an internal error'))
  }

  #close(error: BridgeError | undefined): void {
    if (this.#ended !== undefined) return
    this.#driver.stop()
    this.#counts.ended(error)
    if (error !== undefined && this.#opened !== undefined) {
      this.#parts.log[levelOfEnd(error)](this.#why(error), 'a client was disconnected')
    }
    this.#socket.end()
    this.#ended = this.#letGo()
  }

  /** Gives back all that the client had from the host. */
  async #letGo(): Promise<void> {
    const { clients, log } = this.#parts
    const clientId = this.#request?.clientId
    try {
      await this.#opened?.close(() => this.#session.unacknowledged)
      await this.#opening
    } catch (error) {
      log.error({ ...this.#who(), err: error }, 'a client connection was not closed cleanly')
    }
    if (clientId !== undefined) {
      if (this.#announced) announceEnd(this.#parts, clientId, this.connection)
      clients.release(clientId, this)
    }
    this.#onEnded(this)
  }

  #why({ code, detail }: BridgeError): object {
    return { ...this.#who(), code, detail }
  }

  #who(): object {
    return { clientId: this.#request?.clientId, ...this.#socket.remote }
  }
}
