// What rhea writes to and reads from in place of a socket: frames of one turn of the event loop go out in one write.
// Rule: rhea gets only what its owner feeds; bytes keep their order; what waits to be written is counted, so that its owner can stop
// adding to it. (rhea alone makes a system call for each frame, a quarter of all its cost, and the peer pays for each read.)

import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'

/** Written at once when so many bytes wait, before the turn's end. */
const FLUSH_BYTES = 64 * 1024
/** Frames this long are not copied into the others. */
const OWN_WRITE_BYTES = 16 * 1024

/** rhea's view of a socket. */
export interface BatchedSocket extends EventEmitter {
  /** Bytes that wait to be written, here and in the socket. */
  readonly waiting: number
  write(bytes: Buffer): boolean
  /** Writes out and then ends the socket. */
  end(): void
  destroy(): void
  setNoDelay(on: boolean): void
  get_id_string(): string
}

/** `onEnd` runs when rhea, or its owner, has ended the connection: nothing is to be read any more. */
export function batchSocket(socket: Socket, onEnd: () => void): BatchedSocket {
  const batch = new Batch(socket)
  const emitter = new EventEmitter()
  const end = () => {
    batch.flush()
    socket.end()
    onEnd()
  }
  Object.defineProperty(emitter, 'waiting', { get: () => batch.waiting })
  return Object.assign(emitter, {
    write: (bytes: Buffer) => batch.write(bytes),
    end,
    destroy: () => socket.destroy(),
    setNoDelay: (on: boolean) => socket.setNoDelay(on),
    get_id_string: () => `${socket.remoteAddress}:${socket.remotePort}`
  }) as unknown as BatchedSocket
}

class Batch {
  readonly #socket: Socket
  #chunks: Buffer[] = []
  #bytes = 0
  #scheduled = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get waiting(): number {
    return this.#bytes + this.#socket.writableLength
  }

  write(bytes: Buffer): boolean {
    this.#chunks.push(bytes)
    this.#bytes += bytes.length
    if (this.#bytes >= FLUSH_BYTES) this.flush()
    else if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(() => {
        this.#scheduled = false
        this.flush()
      })
    }
    return true
  }

  flush(): void {
    if (this.#bytes === 0) return
    const chunks = this.#chunks
    this.#chunks = []
    this.#bytes = 0
    if (!this.#socket.writable) return
    let small: Buffer[] = []
    const writeSmall = () => {
      const [first] = small
      if (first !== undefined) this.#socket.write(small.length === 1 ? first : Buffer.concat(small))
      small = []
    }
    this.#socket.cork()
    for (const chunk of chunks) {
      if (chunk.length < OWN_WRITE_BYTES) small.push(chunk)
      else {
        writeSmall()
        this.#socket.write(chunk)
      }
    }
    writeSmall()
    this.#socket.uncork()
  }
}
