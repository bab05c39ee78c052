// One client's connection as a machine without I/O: events in, actions out.
// Rule: what may come when is in phases.ts; a packet that may not come ends the connection, an event that may not come is a bug
// of the bridge and throws; after `close` nothing comes out.

import { BridgeError } from '../errors.js'
import type { InboundPacket } from '../mqtt/packets.js'
import { close, NO_ACTIONS, refuse } from './actions.js'
import { connect } from './handshake.js'
import { Inbound } from './inbound.js'
import { Outbound, type Unacknowledged } from './outbound.js'
import { accepts, follow } from './phases.js'
import type { Phase } from './phases.js'
import { Subscriptions } from './subscriptions.js'
import type { Action, OpenRequest, SessionEvent, SessionOptions } from './types.js'

/** ms of silence that one second of keep alive allows [MQTT3-3.1.2-24] */
const SILENCE_MS_PER_S = 1500

/** What a session has once CONNECT was taken. */
interface Open {
  readonly request: OpenRequest
  readonly inbound: Inbound
  readonly outbound: Outbound
  readonly subscriptions: Subscriptions
}

/** The session core of one connection; times are ms of any clock that does not go back. */
export class Session {
  readonly #options: SessionOptions
  #phase: Phase = 'new'
  #open: Open | undefined
  /** when the phase began; `connected`: when the last packet came */
  #since: number
  #paused = false
  #tokens = 0

  constructor(options: SessionOptions, now: number) {
    this.#options = options
    this.#since = now
  }

  get phase(): Phase {
    return this.#phase
  }

  /** When `timeout` should come. It moves with each packet, so look again when it is reached. */
  get deadline(): number | undefined {
    switch (this.#phase) {
      case 'new':
        return this.#paused ? undefined : this.#since + this.#options.connectTimeoutMs
      case 'opening':
        return this.#since + this.#options.connectTimeoutMs
      case 'connected': {
        const keepAliveS = this.#open?.request.keepAliveS ?? 0
        if (this.#paused || keepAliveS === 0) return undefined
        return this.#since + keepAliveS * SILENCE_MS_PER_S
      }
      case 'closed':
        return undefined
      default:
        return this.#phase satisfies never
    }
  }

  /** Packets of the client that are not answered yet: a bridge that reads on whatever it is has no bound. */
  get unanswered(): number {
    return this.#open === undefined ? 0 : this.#open.inbound.size + this.#open.subscriptions.size
  }

  /** Bytes of publications that wait for the client. */
  get waitingBytes(): number {
    return this.#open?.outbound.waitingBytes ?? 0
  }

  /** What the client was sent and has not acknowledged, in the order in which it was sent. */
  get unacknowledged(): readonly Unacknowledged[] {
    return this.#open?.outbound.unacknowledged() ?? []
  }

  /** Throws on an event that cannot come: that is a bug of whoever gave it. */
  handle(event: SessionEvent, now: number): readonly Action[] {
    if (this.#phase === 'closed') return NO_ACTIONS
    const actions = this.#react(event, now)
    if (actions.length > 0 && actions[actions.length - 1]?.type === 'close') this.#enter('closed')
    return actions
  }

  #react(event: SessionEvent, now: number): readonly Action[] {
    const input = event.type === 'packet' ? event.packet.cmd : event.type
    if (!accepts(this.#phase, input)) return this.#unexpected(event)
    switch (event.type) {
      case 'packet':
        this.#since = now
        return this.#packet(event.packet)
      case 'outcome':
        return this.#opened().inbound.outcome(event.token, event.result)
      case 'delivery':
        return this.#opened().outbound.deliver(event.delivery)
      case 'restored':
        return this.#opened().outbound.restored(event.inFlight)
      case 'returned':
        return this.#opened().outbound.returned()
      case 'congested':
        return this.#opened().outbound.congested()
      case 'uncongested':
        return this.#opened().outbound.uncongested()
      case 'answered':
        return this.#opened().subscriptions.answered(event.token, event.codes)
      case 'unanswered':
        return this.#opened().subscriptions.unanswered(event.token, event.error)
      case 'paused':
        this.#paused = true
        return NO_ACTIONS
      case 'resumed':
        return this.#resumed(now)
      case 'reconfigured':
        return this.#reconfigured()
      case 'opened':
        return this.#accept(event.sessionPresent, now)
      case 'refused':
      case 'malformed':
        return this.#phase === 'connected' ? [{ type: 'close', error: event.error }] : refuse(event.error)
      case 'end':
        // before CONNECT there is nothing to answer
        return this.#phase === 'opening' ? refuse(event.error) : [{ type: 'close', error: event.error }]
      case 'timeout':
        return this.#timeout(now)
      case 'disconnected':
        return close('connectionLost', `in phase ${this.#phase}`)
      default:
        return event satisfies never
    }
  }

  #packet(packet: InboundPacket): readonly Action[] {
    switch (packet.cmd) {
      case 'connect':
        return this.#connect(connect(packet, this.#options))
      case 'publish':
        return this.#opened().inbound.publish(packet, ++this.#tokens)
      case 'puback':
        return this.#opened().outbound.acknowledged(packet.packetId)
      case 'subscribe':
        return this.#opened().subscriptions.subscribe(packet, ++this.#tokens)
      case 'unsubscribe':
        return this.#opened().subscriptions.unsubscribe(packet, ++this.#tokens)
      case 'pingreq':
        return [{ type: 'write', packet: { cmd: 'pingresp' } }] // [MQTT3-3.12.4-1]
      case 'disconnect':
        return [{ type: 'close' }]
      case 'pubrec':
      case 'pubrel':
      case 'pubcomp':
        throw new Error(`${packet.cmd} is in no phase`)
      default:
        return packet satisfies never
    }
  }

  #connect(actions: readonly Action[]): readonly Action[] {
    const [first] = actions
    if (first?.type !== 'open') return actions
    const { request } = first
    this.#open = {
      request,
      inbound: new Inbound(this.#options, request.clientId),
      outbound: new Outbound(this.#options),
      subscriptions: new Subscriptions(this.#options)
    }
    this.#enter('opening')
    return actions
  }

  #accept(stateFound: boolean, now: number): readonly Action[] {
    this.#enter('connected')
    this.#since = now
    const sessionPresent = stateFound && !this.#opened().request.cleanSession // [MQTT3-3.2.2-1] [MQTT3-3.2.2-2]
    return [{ type: 'write', packet: { cmd: 'connack', returnCode: 0, sessionPresent } }]
  }

  #resumed(now: number): readonly Action[] {
    this.#paused = false
    if (this.#phase === 'connected') this.#since = now
    return NO_ACTIONS
  }

  #reconfigured(): readonly Action[] {
    if (this.#open === undefined) return NO_ACTIONS
    this.#open.inbound.reconfigured()
    return this.#open.outbound.reconfigured()
  }

  #timeout(now: number): readonly Action[] {
    const deadline = this.deadline
    if (deadline === undefined || now < deadline) return NO_ACTIONS
    if (this.#phase === 'connected') return close('keepAliveTimeout', `silence since ${now - this.#since} ms`)
    const waited = `${this.#options.connectTimeoutMs} ms`
    if (this.#phase === 'opening')
      return refuse(new BridgeError('serverUnavailable', `no answer in ${waited}`))
    return close('connectTimeout', `no CONNECT in ${waited}`)
  }

  /** A packet that may not come now ends the connection [MQTT3-4.8.0-1]; anything else must not happen. */
  #unexpected(event: SessionEvent): readonly Action[] {
    if (event.type !== 'packet' || this.#phase === 'opening') {
      const what = event.type === 'packet' ? event.packet.cmd : event.type
      throw new Error(`${what} in phase ${this.#phase}`)
    }
    // [MQTT3-3.1.0-1] [MQTT3-3.1.0-2]
    return close('protocolError', `${event.packet.cmd} in phase ${this.#phase}`)
  }

  #opened(): Open {
    if (this.#open === undefined) throw new Error('the session is not open')
    return this.#open
  }

  #enter(phase: Phase): void {
    this.#phase = follow(this.#phase, phase)
  }
}
