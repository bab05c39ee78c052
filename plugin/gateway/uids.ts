// Ids that are unique without asking anybody: of publications, 16 bytes, and of connections, a uuid.
// Rule: those of publications are random per gateway, and counted within it.

import { randomBytes, randomUUID } from 'node:crypto'

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

/** A uuid that is one string: what randomUUID returns stays a tree of its parts, ten times the memory for as long as it is kept. */
export function connectionId(): string {
  return Buffer.from(randomUUID(), 'latin1').toString('latin1')
}
