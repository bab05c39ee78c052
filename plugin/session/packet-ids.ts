// Packet ids of what a session sends.
// Rule: an id is in use until its last acknowledgement came, and no other packet has it meanwhile [MQTT3-2.3.1-4].

export const MAX_PACKET_ID = 65535

/** Ids in turn, so that one that was just freed is not the next. */
export class PacketIds {
  #last = 0

  /** An id that `used` does not have. Throws a RangeError when all are used: whoever asks keeps a window smaller than that. */
  next(used: { has(packetId: number): boolean }): number {
    for (let tries = 0; tries < MAX_PACKET_ID; tries++) {
      this.#last = this.#last === MAX_PACKET_ID ? 1 : this.#last + 1
      if (!used.has(this.#last)) return this.#last
    }
    throw new RangeError('all packet ids are used')
  }
}
