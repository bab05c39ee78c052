// An AMQP connection that we open: socket, login and open, then sessions on it. rhea with guards around it.
// Rule: it never connects again by itself, since that would lose sends without a word: whoever wants another opens another. However it
// ends, its sessions hear of it once, and nothing that a host sends throws out of the process.

import { connect as connectSocket, type Socket } from 'node:net'
import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { LinkError } from '../../plugin/host.js'
import { batchSocket, type BatchedSocket } from './batched-socket.js'
import { ClientSession, type ReadDelivery } from './client-session.js'
import { readError } from './outcomes.js'
import { createConnection, type RheaConnection, type RheaSession } from './rhea.js'

export interface ClientLogin {
  /** undefined: SASL ANONYMOUS */
  readonly username?: string | undefined
  readonly password?: Uint8Array | undefined
}

export interface ClientOptions {
  readonly host: string
  readonly port: number
  readonly containerId: string
  /** from the call until the host's open, ms */
  readonly connectTimeoutMs: number
  /** until the host answers an attach, ms */
  readonly attachTimeoutMs: number
  /** announced; a host silent for twice as long is given up, ms */
  readonly idleTimeOutMs: number
  /** What deliveries say beyond their message; undefined: as AMQP has it. */
  readonly readDelivery?: ReadDelivery | undefined
  /** where the numbers of a session start; undefined: 0 */
  readonly firstId?: number | undefined
}

/** For the host to answer our close, ms. */
const CLOSE_GRACE_MS = 1000
const MAX_FRAME_SIZE = 64 * 1024
const CHANNEL_MAX = 255
const NOTHING = Buffer.alloc(0)

interface ClientRhea extends RheaConnection {
  connect(): void
  create_session(): RheaSession & { begin(): void }
}

export class ClientConnection {
  readonly #socket: Socket
  readonly #options: ClientOptions
  readonly #batch: BatchedSocket
  readonly #rhea: ClientRhea
  readonly #sessions = new Set<ClientSession>()
  readonly #onGone: () => void
  readonly #gone: Promise<void>
  #opened: { resolve(): void; reject(error: AmqpError): void } | undefined
  #error: LinkError | undefined
  #phase: 'open' | 'closing' | 'gone' = 'open'

  private constructor(socket: Socket, login: ClientLogin, options: ClientOptions, onGone: () => void) {
    this.#socket = socket
    this.#options = options
    this.#onGone = onGone
    this.#batch = batchSocket(socket, () => undefined)
    this.#gone = new Promise(resolve => socket.once('close', () => resolve()))
    this.#rhea = createConnection({
      container_id: options.containerId,
      sasl_mechanisms: mechanismsOf(login),
      reconnect: false,
      idle_time_out: options.idleTimeOutMs,
      max_frame_size: MAX_FRAME_SIZE,
      channel_max: CHANNEL_MAX,
      receiver_options: { credit_window: 0, autoaccept: false, autosettle: false },
      sender_options: { autosettle: false, treat_modified_as_released: false },
      connection_details: () => ({ connect: this.#attachSocket })
    }) as ClientRhea
    this.#guard()
  }

  /** Rejects with AmqpError: `amqp:unauthorized-access` for a login that is refused, `amqp:connection:forced` for all else. */
  static open(login: ClientLogin, options: ClientOptions, onGone: () => void): Promise<ClientConnection> {
    const socket = connectSocket({ host: options.host, port: options.port, noDelay: true })
    const connection = new ClientConnection(socket, login, options, onGone)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        connection.#fail(
          new AmqpError(CONDITIONS.connectionForced, `no answer within ${options.connectTimeoutMs} ms`)
        )
      }, options.connectTimeoutMs)
      connection.#opened = {
        resolve: () => {
          clearTimeout(timer)
          resolve(connection)
        },
        reject: error => {
          clearTimeout(timer)
          reject(error)
        }
      }
      socket.once('connect', () => connection.#rhea.connect())
    })
  }

  get usable(): boolean {
    return this.#phase === 'open'
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  /** A session of its own for each logical connection. */
  openSession(): ClientSession {
    const session = this.#rhea.create_session()
    const context = {
      connection: this.#rhea,
      session,
      write: (bytes: Buffer) => void this.#batch.write(bytes),
      attachTimeoutMs: this.#options.attachTimeoutMs,
      readDelivery: this.#options.readDelivery,
      firstId: this.#options.firstId ?? 0
    }
    const client = new ClientSession(context, {
      onEnded: () => void this.#sessions.delete(client),
      cut: () => this.cut(),
      error: () => this.#error
    })
    this.#sessions.add(client)
    if (this.#phase === 'open') session.begin()
    else client.lost(this.#error)
    return client
  }

  /** Closes; resolves when the socket is gone. */
  async close(): Promise<void> {
    if (this.#phase === 'open') {
      this.#phase = 'closing'
      this.#rhea.close()
      const cut = setTimeout(() => this.#socket.destroy(), CLOSE_GRACE_MS)
      this.#socket.once('close', () => clearTimeout(cut))
    }
    await this.#gone
  }

  /** Cuts the socket, as when the process dies. */
  cut(): void {
    this.#socket.destroy()
  }

  readonly #attachSocket = (
    _port: unknown,
    _host: unknown,
    _options: unknown,
    connected: () => void
  ): BatchedSocket => {
    setImmediate(connected)
    return this.#batch
  }

  #guard(): void {
    const rhea = this.#rhea
    const { _process } = rhea
    rhea._process = () => {
      if (this.#phase === 'gone') return
      try {
        _process.call(rhea)
      } catch (error) {
        this.#fail(error)
      }
      for (const session of this.#sessions) session.wake()
    }
    rhea.on('connection_open', () => this.#opened?.resolve())
    rhea.on('connection_error', (context: { readonly error?: unknown }) => this.#remember(context.error))
    rhea.on('connection_close', () => undefined)
    rhea.on('disconnected', () => undefined)
    rhea.on('error', (error: unknown) => this.#fail(error))
    rhea.on('protocol_error', (error: unknown) => this.#fail(error))
    const { on_close } = rhea
    rhea.on_close = frame => {
      this.#error = readError(frame.performative.error)
      on_close.call(rhea, frame)
    }
    this.#socket.on('data', (chunk: Buffer) => {
      if (this.#phase === 'gone') return
      this.#batch.emit('data', chunk)
      // what came in one piece with the end of the login rhea reads with the next bytes only
      if (this.#rhea.remote.open === undefined) this.#batch.emit('data', NOTHING)
    })
    this.#socket.on('error', error => this.#remember(error))
    this.#socket.on('end', () => this.#socket.destroy())
    this.#socket.on('close', () => this.#lost())
  }

  #remember(error: unknown): void {
    const { condition, description, message } = (error ?? {}) as Partial<AmqpError>
    this.#error ??= {
      condition: condition ?? CONDITIONS.connectionForced,
      description: description ?? message ?? String(error)
    }
  }

  #fail(error: unknown): void {
    this.#remember(error)
    this.#socket.destroy()
  }

  #lost(): void {
    if (this.#phase === 'gone') return
    this.#phase = 'gone'
    this.#rhea._register = () => undefined
    this.#rhea.local.open.idle_time_out = 0 // or its last write starts a timer again
    this.#batch.emit('end') // stops rhea's timers
    const { condition, description } = this.#error ?? {
      condition: CONDITIONS.connectionForced,
      description: 'the connection is gone'
    }
    this.#opened?.reject(new AmqpError(condition, description))
    for (const session of [...this.#sessions]) session.lost({ condition, description })
    this.#sessions.clear()
    this.#onGone()
  }
}

/** rhea's own cuts names and passwords that are not ASCII. */
function mechanismsOf({ username, password }: ClientLogin): object {
  const start = (response: Buffer) => () => ({
    start: (callback: (error: undefined, response: Buffer) => void) => callback(undefined, response)
  })
  if (username === undefined) return { ANONYMOUS: start(Buffer.from('anonymous')) }
  const nul = Buffer.of(0)
  return { PLAIN: start(Buffer.concat([nul, Buffer.from(username), nul, password ?? nul.subarray(1)])) }
}
