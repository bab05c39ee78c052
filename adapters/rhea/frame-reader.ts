// Cuts what comes from a socket into protocol headers and whole frames, before rhea sees a byte of it.
// Rule: a peer can make us hold one frame of the announced size and no more; a frame that claims more, or whose performative cannot
// be read, throws AmqpError before it is complete or acted upon. (rhea alone waits for 4 GB, and reads past the end of arrays.)

import { AmqpError } from '../../plugin/errors.js'
import { scanValue } from './scan.js'

const FRAMING_ERROR = 'amqp:connection:framing-error'
const HEADER_BYTES = 8
const NOTHING: Buffer = Buffer.alloc(0)

export type FrameType = 'amqp' | 'sasl'

export class FrameReader {
  /** bytes; what longer frames claim is refused */
  #maxFrameSize: number
  #pending = NOTHING

  constructor(maxFrameSize: number) {
    this.#maxFrameSize = maxFrameSize
  }

  set maxFrameSize(bytes: number) {
    this.#maxFrameSize = bytes
  }

  push(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
  }

  /** The next 8 bytes, once they are there. Throws at the first byte that is not AMQP's. */
  header(): Buffer | undefined {
    const length = Math.min(4, this.#pending.length)
    if (this.#pending.toString('latin1', 0, length) !== 'AMQP'.slice(0, length)) {
      throw new AmqpError(FRAMING_ERROR, 'the peer does not speak AMQP')
    }
    return this.#pending.length < HEADER_BYTES ? undefined : this.#cut(HEADER_BYTES)
  }

  /** Puts back what header() gave, for whoever reads next. */
  unread(header: Buffer): void {
    this.#pending = Buffer.concat([header, this.#pending])
  }

  /** The next frame, once it is whole. */
  frame(type: FrameType): Buffer | undefined {
    const size = this.#whole(0, type)
    return size === 0 ? undefined : this.#cut(size)
  }

  /** All whole frames, in one piece. */
  frames(type: FrameType): Buffer | undefined {
    let end = 0
    for (let size = this.#whole(0, type); size > 0; size = this.#whole(end, type)) end += size
    return end === 0 ? undefined : this.#cut(end)
  }

  #cut(length: number): Buffer {
    const bytes = this.#pending.subarray(0, length)
    this.#pending = length === this.#pending.length ? NOTHING : this.#pending.subarray(length)
    return bytes
  }

  /** Size of the whole frame at `start`, 0 while it is not there. */
  #whole(start: number, type: FrameType): number {
    const bytes = this.#pending
    if (bytes.length - start < 4) return 0
    const size = bytes.readUInt32BE(start)
    if (size < HEADER_BYTES) throw new AmqpError(FRAMING_ERROR, `a frame of ${size} bytes`)
    if (size > this.#maxFrameSize) {
      throw new AmqpError(FRAMING_ERROR, `a frame of ${size} bytes, over the limit of ${this.#maxFrameSize}`)
    }
    if (bytes.length - start < size) return 0
    checkFrame(bytes, start, size, type)
    return size
  }
}

function checkFrame(bytes: Buffer, start: number, size: number, type: FrameType): void {
  const body = (bytes[start + 4] ?? 0) * 4
  if (body < HEADER_BYTES || body > size)
    throw new AmqpError(FRAMING_ERROR, 'a data offset outside its frame')
  if (bytes[start + 5] !== (type === 'amqp' ? 0 : 1))
    throw new AmqpError(FRAMING_ERROR, 'a frame of another type')
  if (body < size) scanValue(bytes, start + body, start + size)
}
