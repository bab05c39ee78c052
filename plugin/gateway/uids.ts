// Uids of publications: 16 bytes, unique without asking anybody.
// Rule: random per gateway, counted within it.

import { randomBytes } from 'node:crypto'

/** Makes uids: 10 random bytes, then a count of 48 bits. */
export class Uids {
  readonly #prefix = randomBytes(10)
  #count = 0

  next(): Uint8Array {
    const uid = Buffer.allocUnsafe(16)
    this.#prefix.copy(uid)
    uid.writeUIntBE(++this.#count, 10, 6)
    return uid
  }
}
