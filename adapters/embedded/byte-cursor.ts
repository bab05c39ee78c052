// Reads LevelDB's numbers and byte strings one after the other.
// Rule: what reaches beyond the end is a RangeError.

export class ByteCursor {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  get done(): boolean {
    return this.at >= this.bytes.length
  }

  /** A number of up to 53 bits, seven a byte. */
  varint(): number {
    let value = 0
    for (let factor = 1; factor <= Number.MAX_SAFE_INTEGER; factor *= 128) {
      const byte = this.bytes.readUInt8(this.at++)
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw new RangeError('a number that does not end')
  }

  take(length: number): Buffer {
    if (length > this.bytes.length - this.at) throw new RangeError('bytes beyond the end')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  /** Bytes behind their length. */
  slice(): Buffer {
    return this.take(this.varint())
  }
}
