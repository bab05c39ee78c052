// MQTT 3.1.1 packets for the load generator, encoded once before the load starts.
// Rule: nothing here runs per message while something is measured.

export const CONNACK = 2
export const PUBLISH = 3
export const PUBACK = 4
export const SUBACK = 9

export function connectPacket(clientId: string, clean: boolean): Buffer {
  const variable = Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54, 4, clean ? 0x02 : 0, 0, 0])
  return packet(0x10, Buffer.concat([variable, text(clientId)]))
}

export function subscribePacket(packetId: number, filter: string, qos: 0 | 1): Buffer {
  return packet(0x82, Buffer.concat([uint16(packetId), text(filter), Buffer.from([qos])]))
}

export function publishPacket(
  topic: string,
  payload: Uint8Array,
  qos: 0 | 1,
  packetId: number,
  dup = false
): Buffer {
  const id = qos === 0 ? Buffer.alloc(0) : uint16(packetId)
  return packet(0x30 | (qos << 1) | (dup ? 8 : 0), Buffer.concat([text(topic), id, payload]))
}

export const DISCONNECT_PACKET: Uint8Array = Buffer.from([0xe0, 0])

/** PUBLISH packets of one topic in one buffer, packet ids 1 to `count`: a batch is a slice of it. */
export class PublishRing {
  readonly #bytes: Buffer
  readonly #size: number
  readonly #count: number
  #next = 0

  constructor(topic: string, payload: Uint8Array, qos: 0 | 1, count: number) {
    const packets = Array.from({ length: count }, (_, i) => publishPacket(topic, payload, qos, i + 1))
    this.#bytes = Buffer.concat(packets)
    this.#size = this.#bytes.length / count
    this.#count = count
  }

  /** The next packets, at most `wanted`; fewer where the ring ends: ask again. */
  take(wanted: number): { readonly bytes: Buffer; readonly count: number } {
    const count = Math.min(wanted, this.#count - this.#next)
    const bytes = this.#bytes.subarray(this.#next * this.#size, (this.#next + count) * this.#size)
    this.#next = (this.#next + count) % this.#count
    return { bytes, count }
  }
}

function packet(header: number, body: Buffer): Buffer {
  const length: number[] = []
  let rest = body.length
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
    rest >>>= 7
  } while (rest > 0)
  return Buffer.concat([Buffer.from([header, ...length]), body])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([uint16(bytes.length), bytes])
}

function uint16(value: number): Buffer {
  return Buffer.from([value >>> 8, value & 0xff])
}
