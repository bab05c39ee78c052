// A byte-level MQTT 3.1.1 client for load: it parses what comes only as far as counting and acknowledging need.
// Rule: it costs less per message than any server, so that a benchmark measures the server.

import { connect, type Socket } from 'node:net'
import {
  CONNACK,
  DISCONNECT_PACKET,
  PUBACK,
  PUBLISH,
  SUBACK,
  connectPacket,
  subscribePacket
} from './packets.js'

/** What the client tells; each is optional because each costs time. */
export interface ClientHandlers {
  /** once per chunk from the socket: how many PUBLISH and PUBACK packets it ended */
  readonly onTraffic?: (publishes: number, pubacks: number) => void
  /** per PUBLISH; the bytes are valid only during the call */
  readonly onPublish?: (packet: PublishView) => void
  readonly onPuback?: (packetId: number) => void
  /** the socket is gone and nobody asked for it */
  readonly onLost?: (error: Error | undefined) => void
}

export interface PublishView {
  readonly bytes: Buffer
  readonly payloadStart: number
  readonly end: number
  readonly dup: boolean
}

export interface ClientOptions {
  /** read at once, at most; default 65,536 */
  readonly chunkBytes?: number
  /** default true: the session ends with the connection */
  readonly clean?: boolean
}

const DEFAULT_CHUNK_BYTES = 65536
const EMPTY = Buffer.alloc(0)

export class RawClient {
  readonly #socket: Socket
  readonly #handlers: ClientHandlers
  #carry: Buffer = EMPTY
  #waiting: { readonly type: number; resolve(body: Buffer): void; reject(error: Error): void } | undefined
  #sessionPresent = false
  #ended = false

  private constructor(socket: Socket, handlers: ClientHandlers) {
    this.#socket = socket
    this.#handlers = handlers
  }

  /** Resolves after CONNACK 0, rejects with any other answer. */
  static async connect(
    port: number,
    clientId: string,
    handlers: ClientHandlers = {},
    { chunkBytes = DEFAULT_CHUNK_BYTES, clean = true }: ClientOptions = {}
  ): Promise<RawClient> {
    let client: RawClient | undefined
    const socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(chunkBytes),
        callback: (length, chunk) => {
          client?.read(Buffer.from(chunk.buffer, chunk.byteOffset, length))
          return true
        }
      }
    })
    client = new RawClient(socket, handlers)
    const self = client
    socket.on('error', error => self.lost(error))
    socket.on('close', () => self.lost(undefined))
    const connack = self.#answer(CONNACK)
    socket.write(connectPacket(clientId, clean))
    const [flags, code] = await connack
    if (code !== 0) {
      self.destroy()
      throw new Error(`CONNACK ${code}`)
    }
    self.#sessionPresent = flags === 1
    return self
  }

  /** As CONNACK said. */
  get sessionPresent(): boolean {
    return this.#sessionPresent
  }

  /** Resolves after a SUBACK that grants what was asked. */
  async subscribe(filter: string, qos: 0 | 1): Promise<void> {
    const suback = this.#answer(SUBACK)
    this.#socket.write(subscribePacket(1, filter, qos))
    const code = (await suback)[2]
    if (code !== qos) throw new Error(`SUBACK ${code} for QoS ${qos}`)
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** DISCONNECT; resolves when the socket is closed. */
  async end(): Promise<void> {
    this.#ended = true
    if (this.#socket.closed) return
    const closed = new Promise(resolve => this.#socket.once('close', resolve))
    this.#socket.end(DISCONNECT_PACKET)
    await closed
  }

  destroy(): void {
    this.#ended = true
    this.#socket.destroy()
  }

  /** Bytes from the socket. Public for the socket's callback only. */
  read(chunk: Buffer): void {
    const bytes = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk])
    const acks: number[] = []
    let publishes = 0
    let pubacks = 0
    let at = 0
    while (at + 2 <= bytes.length) {
      let length = 0
      let shift = 0
      let body = at + 1
      let byte: number
      do {
        byte = bytes[body++] ?? 0x80
        length |= (byte & 0x7f) << shift
        shift += 7
      } while (byte >= 0x80 && body < bytes.length)
      const end = body + length
      if (byte >= 0x80 || end > bytes.length) break
      const header = bytes[at] as number
      const type = header >>> 4
      if (type === PUBLISH) {
        publishes++
        const id = body + 2 + bytes.readUInt16BE(body)
        if ((header & 6) !== 0) acks.push(bytes.readUInt16BE(id))
        const payloadStart = (header & 6) === 0 ? id : id + 2
        this.#handlers.onPublish?.({ bytes, payloadStart, end, dup: (header & 8) !== 0 })
      } else if (type === PUBACK) {
        pubacks++
        this.#handlers.onPuback?.(bytes.readUInt16BE(body))
      } else {
        this.#control(type, bytes.subarray(body, end))
      }
      at = end
    }
    this.#carry = at === bytes.length ? EMPTY : Buffer.from(bytes.subarray(at))
    if (acks.length > 0) this.#socket.write(pubackPackets(acks))
    if (publishes + pubacks > 0) this.#handlers.onTraffic?.(publishes, pubacks)
  }

  /** The socket ended. Public for the socket's listeners only. */
  lost(error: Error | undefined): void {
    this.#waiting?.reject(error ?? new Error('the server closed the connection'))
    this.#waiting = undefined
    if (this.#ended) return
    this.#ended = true
    this.#handlers.onLost?.(error)
  }

  #answer(type: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { type, resolve, reject }
    })
  }

  #control(type: number, body: Buffer): void {
    if (this.#waiting?.type !== type) throw new Error(`unexpected packet of type ${type}`)
    this.#waiting.resolve(Buffer.from(body))
    this.#waiting = undefined
  }
}

function pubackPackets(ids: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(ids.length * 4)
  let at = 0
  for (const id of ids) {
    bytes[at++] = 0x40
    bytes[at++] = 2
    bytes[at++] = id >>> 8
    bytes[at++] = id & 0xff
  }
  return bytes
}
