// The socket of one MQTT client: gathers what is written in one turn of the event loop, says when the client does not keep up.
// Rule: one system call per turn and client; a client that does not read is not read from once its buffer is far too full.

import type { Socket } from 'node:net'

export interface SocketEvents {
  readonly onData: (chunk: Buffer) => void
  /** the peer is gone, or has said all it wants to say */
  readonly onClosed: () => void
  readonly onCongested: () => void
  readonly onUncongested: () => void
}

/** Time for a peer to take what was written before its socket is destroyed. */
const LINGER_MS = 5000

/** Writes the sockets that have something to say, once per turn of the event loop. */
export class SocketFlusher {
  #dirty: ClientSocket[] = []

  add(socket: ClientSocket): void {
    if (this.#dirty.length === 0) setImmediate(() => this.#flush())
    this.#dirty.push(socket)
  }

  #flush(): void {
    const dirty = this.#dirty
    this.#dirty = []
    for (const socket of dirty) socket.flush()
  }
}

export class ClientSocket {
  readonly #socket: Socket
  readonly #flusher: SocketFlusher
  readonly #events: SocketEvents
  #chunks: Buffer[] = []
  #bytes = 0
  #reading = true
  #congested = false
  #closed = false

  constructor(socket: Socket, flusher: SocketFlusher, events: SocketEvents) {
    this.#socket = socket
    this.#flusher = flusher
    this.#events = events
    socket.setNoDelay(true)
    socket.on('data', events.onData)
    socket.on('drain', () => this.#drained())
    socket.on('end', () => this.#close())
    socket.on('close', () => this.#close())
    socket.on('error', () => undefined) // 'close' follows, and says all there is to know
  }

  get remote(): { address: string | undefined; port: number | undefined } {
    return { address: this.#socket.remoteAddress, port: this.#socket.remotePort }
  }

  /** More than the session's publications filled the buffer: answers to a client that asks and does not read. */
  get overfull(): boolean {
    return (
      this.#congested && this.#bytes + this.#socket.writableLength > 4 * this.#socket.writableHighWaterMark
    )
  }

  write(bytes: Buffer): void {
    if (this.#bytes === 0) this.#flusher.add(this)
    this.#chunks.push(bytes)
    this.#bytes += bytes.length
  }

  flush(): void {
    if (this.#bytes === 0) return
    const [first] = this.#chunks
    const bytes =
      this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks, this.#bytes)
    this.#chunks = []
    this.#bytes = 0
    if (this.#socket.destroyed || this.#socket.write(bytes) || this.#congested) return
    this.#congested = true
    this.#events.onCongested()
  }

  setReading(reading: boolean): void {
    if (reading === this.#reading || this.#closed) return
    this.#reading = reading
    if (reading) this.#socket.resume()
    else this.#socket.pause()
  }

  /** Runs `then` when what the system has received by now was read, unless reading is paused. */
  afterHeld(then: () => void): void {
    // the poll of the next turn of the event loop reads it, and its check phase comes after that
    setImmediate(() => setImmediate(then))
  }

  /** Sends what was written, then ends the connection; nothing of the peer's is read any more. */
  end(): void {
    this.flush()
    this.#closed = true
    this.#socket.removeAllListeners('data')
    if (this.#socket.destroyed) return // a timer would hold what is left of it
    this.#socket.end()
    this.#socket.resume()
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS)
    timer.unref()
    this.#socket.once('close', () => clearTimeout(timer))
  }

  #drained(): void {
    if (!this.#congested) return
    this.#congested = false
    this.#events.onUncongested()
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#events.onClosed()
  }
}
