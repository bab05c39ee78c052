// One client's AMQP connection, from its protocol header on: rhea with guards around it.
// Rule: whatever a client sends, or rhea throws at it, ends at most this connection, with an AMQP error where the client can still read
// one; what it makes us hold is bounded; its owner hears of the end exactly once.

import type { Socket } from 'node:net'
import { AmqpError } from '../../plugin/errors.js'
import type { LinkError } from '../../plugin/host.js'
import { batchSocket } from './batched-socket.js'
import type { BatchedSocket } from './batched-socket.js'
import type { FrameReader } from './frame-reader.js'
import { HeldBytes } from './held-bytes.js'
import type { InboundLink } from './inbound-link.js'
import { readError } from './outcomes.js'
import { checkOpen } from './open-check.js'
import type { OutboundLink } from './outbound-link.js'
import { createConnection } from './rhea.js'
import type { RheaBegin, RheaConnection, RheaEnd, RheaFrame, RheaSession } from './rhea.js'
import { AMQP_HEADER } from './sasl-server.js'
import { ServerSession } from './server-session.js'

const NOTHING = Buffer.alloc(0)

export interface ServerOptions {
  readonly containerId: string
  /** announced and enforced, bytes */
  readonly maxFrameSize: number
  /** announced and enforced on each link, bytes */
  readonly maxMessageSize: number
  /** announced; a client silent for twice as long is cut off, ms */
  readonly idleTimeOutMs: number
  readonly maxSessions: number
  /** in all sessions of a connection */
  readonly maxLinks: number
  /** a sender without an address is served */
  readonly relay: boolean
  readonly properties: Readonly<Record<string, string>>
  /** where the numbers of a session start; undefined: 0 */
  readonly firstId?: number | undefined
}

export interface ServerHandlers {
  /** The client's open has come. */
  readonly onOpen: (containerId: string) => void
  readonly onInbound: (link: InboundLink) => void
  readonly onOutbound: (link: OutboundLink) => void
  /** Once. `clean`: the client closed without an error; links that were open then hear nothing of their own. */
  readonly onClosed: (cause: 'clean' | 'lost', error: Error | LinkError | undefined) => void
}

/** Waiting output at which a client gets no more deliveries, bytes. */
const CONGESTED_BYTES = 1024 * 1024
/** What may be held of a client's messages, in units of maxMessageSize. */
const UNSETTLED_MESSAGES = 2
/** For a client to read our close and end its side, ms. */
const CLOSE_GRACE_MS = 1000

export class ServerConnection {
  readonly #socket: Socket
  readonly #reader: FrameReader
  readonly #options: ServerOptions
  readonly #handlers: ServerHandlers
  readonly #batch: BatchedSocket
  readonly #rhea: RheaConnection
  readonly #sessions = new Set<ServerSession>()
  readonly #placesIn = new Set<ServerSession>()
  readonly #held: HeldBytes
  #headerSeen = false
  #phase: 'open' | 'failing' | 'ended' = 'open'
  /** how the client closed, before rhea ends the socket for it */
  #clientClosed: { readonly cause: 'clean' | 'lost'; readonly error: LinkError | undefined } | undefined
  #links = 0

  /** `reader` may hold bytes that came with the login. */
  constructor(socket: Socket, reader: FrameReader, options: ServerOptions, handlers: ServerHandlers) {
    this.#socket = socket
    this.#reader = reader
    this.#options = options
    this.#handlers = handlers
    this.#held = new HeldBytes(UNSETTLED_MESSAGES * options.maxMessageSize, {
      onFull: () => socket.pause(),
      onRoom: () => this.#resume()
    })
    this.#batch = batchSocket(socket, () => this.#end('lost', undefined))
    this.#rhea = createConnection({
      container_id: options.containerId,
      max_frame_size: options.maxFrameSize,
      channel_max: options.maxSessions - 1,
      idle_time_out: options.idleTimeOutMs,
      properties: options.properties,
      offered_capabilities: options.relay ? ['ANONYMOUS-RELAY'] : undefined,
      reconnect: false, // an idle server connection would "open" itself again
      disable_sasl: true,
      receiver_options: { credit_window: 0, autoaccept: false, autosettle: false },
      sender_options: { autosettle: false, treat_modified_as_released: false }
    })
    reader.maxFrameSize = options.maxFrameSize
    this.#guard()
    this.#rhea.accept(this.#batch)
    socket.on('data', chunk => this.#feed(chunk))
    socket.on('drain', () => this.#wakeAll())
    socket.on('error', error => this.#end('lost', error))
    socket.on('close', () => this.#end('lost', undefined))
    this.#read()
    socket.resume()
  }

  /** Closes; resolves when the socket is gone, at the latest after a second. */
  async close(error: LinkError): Promise<void> {
    if (this.#socket.destroyed) return
    const gone = new Promise<void>(resolve => this.#socket.once('close', () => resolve()))
    this.#fail(new AmqpError(error.condition, error.description))
    await gone
  }

  #guard(): void {
    const rhea = this.#rhea
    const { on_open, on_begin, _process } = rhea
    rhea.on_open = frame => {
      on_open.call(rhea, frame) // before the check: our open goes ahead of an error
      checkOpen(frame)
      this.#handlers.onOpen(frame.performative.container_id ?? '')
    }
    rhea.on_begin = frame => {
      this.#checkBegin(frame)
      on_begin.call(rhea, frame)
      const session = rhea.remote_channel_map[frame.channel]
      if (session !== undefined) this.#sessions.add(this.#serve(session))
    }
    rhea.on_close = frame => this.#remoteClosed(frame)
    rhea.idle = () => {
      if (this.#held.full) return // it is we who do not read
      this.#fail(
        new AmqpError('amqp:resource-limit-exceeded', 'nothing came for longer than the idle-time-out')
      )
    }
    rhea._process = () => {
      if (this.#ended()) return
      try {
        _process.call(rhea)
      } catch (error) {
        this.#fail(error)
      }
      this.#placesFreed()
    }
    rhea.on('error', (error: unknown) => this.#fail(error))
    rhea.on('protocol_error', (error: unknown) => this.#fail(error))
    for (const event of ['disconnected', 'connection_open', 'connection_close', 'connection_error'])
      rhea.on(event, () => {})
  }

  #serve(session: RheaSession): ServerSession {
    const { onInbound, onOutbound } = this.#handlers
    const context = {
      connection: this.#rhea,
      session,
      write: (bytes: Buffer) => void this.#batch.write(bytes),
      maxMessageSize: this.#options.maxMessageSize,
      congested: () => this.#batch.waiting > CONGESTED_BYTES,
      held: this.#held,
      firstId: this.#options.firstId ?? 0
    }
    const owner = {
      addLink: () => {
        if (++this.#links > this.#options.maxLinks) {
          throw new AmqpError('amqp:resource-limit-exceeded', `more than ${this.#options.maxLinks} links`)
        }
      },
      removeLink: () => void this.#links--,
      onInbound,
      onOutbound,
      onPlaces: (served: ServerSession) => void this.#placesIn.add(served),
      onEnded: (served: ServerSession) => void this.#sessions.delete(served)
    }
    return new ServerSession(context, owner, this.#options.maxLinks - 1)
  }

  #checkBegin({ channel, performative }: RheaFrame<RheaBegin>): void {
    if (this.#ended()) throw new AmqpError('amqp:not-allowed', 'a begin after close')
    if (this.#rhea.remote.open === undefined) throw new AmqpError('amqp:not-allowed', 'a begin before open')
    if (channel >= this.#options.maxSessions) {
      throw new AmqpError('amqp:connection:framing-error', `channel ${channel} is over channel-max`)
    }
    if (this.#rhea.remote_channel_map[channel] !== undefined) {
      throw new AmqpError('amqp:not-allowed', `channel ${channel} has a session`)
    }
    if (typeof performative.remote_channel === 'number')
      throw new AmqpError('amqp:not-allowed', 'an answer to no begin')
  }

  #feed(chunk: Buffer): void {
    if (this.#phase !== 'open') return
    this.#reader.push(chunk)
    this.#read()
  }

  #read(): void {
    if (this.#held.full || this.#phase !== 'open') return
    try {
      if (!this.#headerSeen) {
        const header = this.#reader.header()
        if (header === undefined) return
        if (!header.equals(AMQP_HEADER)) {
          this.#batch.write(AMQP_HEADER) // what we speak, then the end (part 2, section 2.2)
          throw new AmqpError('amqp:connection:framing-error', 'another protocol or version')
        }
        this.#headerSeen = true
        this.#input(header)
      }
      const frames = this.#reader.frames('amqp')
      if (frames !== undefined) this.#input(frames)
    } catch (error) {
      this.#fail(error)
    }
  }

  #input(bytes: Buffer): void {
    if (this.#phase !== 'open') return
    this.#rhea.input(bytes)
    if (this.#ended()) this.#batch.emit('end') // rhea has started a timer behind the end
  }

  #ended(): boolean {
    return this.#phase === 'ended'
  }

  #resume(): void {
    this.#socket.resume()
    setImmediate(() => {
      this.#input(NOTHING) // starts the idle-time-out anew
      this.#read()
    })
  }

  #placesFreed(): void {
    if (this.#placesIn.size === 0) return
    const sessions = [...this.#placesIn]
    this.#placesIn.clear()
    for (const session of sessions) session.wake()
  }

  #wakeAll(): void {
    for (const session of this.#sessions) session.wake()
  }

  #remoteClosed({ performative }: RheaFrame<RheaEnd>): void {
    const ours = !this.#rhea.state.local_open
    this.#rhea.state.remote_closed()
    const error = readError(performative.error)
    this.#clientClosed = { cause: error === undefined && !ours ? 'clean' : 'lost', error }
    this.#rhea.close()
    this.#rhea._process() // answers, and ends the socket
    this.#end('lost', error)
  }

  /** Ends the connection for an error of the client's, or of ours. */
  #fail(cause: unknown): void {
    if (this.#phase !== 'open') return
    this.#phase = 'failing'
    const error = cause instanceof Error ? cause : new Error(String(cause))
    this.#rhea.close(asAmqpError(error))
    this.#rhea._process()
    this.#batch.end()
    this.#phase = 'open'
    this.#end('lost', error)
  }

  #end(cause: 'clean' | 'lost', error: Error | LinkError | undefined): void {
    if (this.#phase !== 'open') return
    this.#phase = 'ended'
    this.#rhea._register = () => {}
    this.#rhea.remove_all_sessions() // what comes behind a close reaches nobody
    this.#rhea.local.open.idle_time_out = 0 // or its last write starts a timer again
    this.#batch.emit('end') // stops rhea's timers
    if (!this.#socket.destroyed) {
      const cut = setTimeout(() => this.#socket.destroy(), CLOSE_GRACE_MS)
      this.#socket.once('close', () => clearTimeout(cut))
      this.#socket.resume() // to see its end
    }
    const closed = this.#clientClosed ?? { cause, error }
    this.#handlers.onClosed(closed.cause, closed.error)
    for (const session of this.#sessions) session.end({ cause: 'lost' })
    this.#sessions.clear()
  }
}

function asAmqpError(error: Error): LinkError {
  if (error instanceof AmqpError) return { condition: error.condition, description: error.description }
  const condition = error.name === 'ProtocolError' ? 'amqp:connection:framing-error' : 'amqp:internal-error'
  return { condition, description: error.message }
}
