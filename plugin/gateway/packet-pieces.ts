// A packet that came in pieces, until it is whole.
// Rule: room is made for what came, twofold each time, not for what was announced; so each byte is copied a bounded number of
// times, and a client that announces much and sends little costs little.

const FIRST_BYTES = 512

/** Bytes of one packet in the order in which they came. */
export class PacketPieces {
  #room: Buffer
  #size = 0

  /** `expected`: bytes of the packet, or of its fixed header while that is not whole. */
  constructor(expected: number) {
    this.#room = Buffer.allocUnsafe(Math.min(FIRST_BYTES, expected))
  }

  get size(): number {
    return this.#size
  }

  /** What is there; good until the next `append`. */
  get bytes(): Buffer {
    return this.#room.subarray(0, this.#size)
  }

  /** Takes from `chunk`, from `at` on, until there are `wanted` bytes; returns where it stopped. */
  append(chunk: Buffer, at: number, wanted: number): number {
    const end = Math.min(chunk.length, at + wanted - this.#size)
    const size = this.#size + end - at
    if (size > this.#room.length) {
      const room = Buffer.allocUnsafe(Math.max(size, Math.min(wanted, 2 * this.#room.length)))
      this.#room.copy(room, 0, 0, this.#size)
      this.#room = room
    }
    chunk.copy(this.#room, this.#size, at, end)
    this.#size = size
    return end
  }
}
