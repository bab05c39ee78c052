// Follows each message through a trace of the server: read from a socket, written to a file, synced, acknowledged.
// Rule: a PUBACK is proven only by a sync of a file that holds its message; what cannot be followed is not proven.

import { PUBACK, PUBLISH } from '../mqtt/packets.js'
import type { SystemCall } from './trace.js'

const MARKER = /m\d+-\d+;/g
const EMPTY = Buffer.alloc(0)

interface Written {
  readonly marker: string
  readonly endedAt: number
}

export class Ledger {
  readonly faults: string[] = []
  proven = 0
  #syncs = 0
  #writes = 0
  /** sockets that speak AMQP */
  readonly #amqp = new Set<string>()
  readonly #inbound = new Map<string, Buffer>()
  readonly #outbound = new Map<string, Buffer>()
  /** socket and packet id → marker */
  readonly #published = new Map<string, string>()
  /** file → messages written to it and not synced yet */
  readonly #unsynced = new Map<string, Written[]>()
  /** marker → the line at which the first sync that covers it ended */
  readonly #syncedAt = new Map<string, number>()

  add(call: SystemCall): void {
    // -y names a socket by its inode, which no later socket has
    const isSocket = call.file.startsWith('socket:') && !this.#isAmqp(call)
    if (call.name === 'fdatasync' || call.name === 'fsync') this.#sync(call)
    else if (call.name.startsWith('read') && isSocket) this.#read(call)
    else if (/write|send/.test(call.name) && isSocket) this.#send(call)
    else if (/write/.test(call.name) && call.file.startsWith('/')) this.#store(call)
  }

  summary(): string {
    const faults = this.faults.slice(0, 5).map(fault => `\n  ${fault}`)
    return (
      `${this.proven} PUBACKs after a sync that covers their message, ${this.faults.length} not${faults.join('')}\n` +
      `under full trace: ${this.#syncs} syncs, ${this.#writes} writes that held messages`
    )
  }

  #isAmqp({ file, bytes }: SystemCall): boolean {
    if (bytes.toString('latin1', 0, 4) === 'AMQP') this.#amqp.add(file)
    return this.#amqp.has(file)
  }

  #read(call: SystemCall): void {
    eachPacket(this.#inbound, call, (type, packet, body) => {
      if (type !== PUBLISH) return
      const id = body + 2 + packet.readUInt16BE(body)
      const marker = packet.toString('latin1', id + 2).match(MARKER)?.[0]
      if (marker !== undefined) this.#published.set(`${call.file} ${packet.readUInt16BE(id)}`, marker)
    })
  }

  #store(call: SystemCall): void {
    const markers = new Set(call.bytes.toString('latin1').match(MARKER))
    if (markers.size === 0) return
    this.#writes += 1
    const unsynced = this.#unsynced.get(call.file) ?? []
    this.#unsynced.set(call.file, unsynced)
    for (const marker of markers) unsynced.push({ marker, endedAt: call.endedAt })
  }

  #sync(call: SystemCall): void {
    this.#syncs += 1
    const unsynced = this.#unsynced.get(call.file) ?? []
    const later = unsynced.filter(({ endedAt }) => endedAt > call.beganAt)
    this.#unsynced.set(call.file, later)
    // a message that a write was split in is whole only with its last part
    const open = new Set(later.map(({ marker }) => marker))
    for (const { marker, endedAt } of unsynced) {
      if (endedAt > call.beganAt || open.has(marker) || this.#syncedAt.has(marker)) continue
      this.#syncedAt.set(marker, call.endedAt)
    }
  }

  #send(call: SystemCall): void {
    eachPacket(this.#outbound, call, (type, packet, body) => {
      if (type !== PUBACK) return
      const marker = this.#published.get(`${call.file} ${packet.readUInt16BE(body)}`)
      if (marker === undefined)
        return void this.faults.push(`line ${call.beganAt}: a PUBACK for nothing that was read`)
      const syncedAt = this.#syncedAt.get(marker)
      if (syncedAt !== undefined && syncedAt < call.beganAt) this.proven += 1
      else
        this.faults.push(
          `line ${call.beganAt}: PUBACK of ${marker} ${syncedAt === undefined ? 'without a sync' : 'before its sync'}`
        )
    })
  }
}

/** Cuts the stream of a socket into MQTT packets. */
function eachPacket(
  streams: Map<string, Buffer>,
  call: SystemCall,
  onPacket: (type: number, packet: Buffer, body: number) => void
): void {
  let bytes = Buffer.concat([streams.get(call.file) ?? EMPTY, call.bytes])
  for (;;) {
    const end = packetEnd(bytes)
    if (end === undefined) break
    onPacket((bytes[0] ?? 0) >>> 4, bytes.subarray(0, end.end), end.body)
    bytes = bytes.subarray(end.end)
  }
  streams.set(call.file, bytes)
}

function packetEnd(bytes: Buffer): { readonly body: number; readonly end: number } | undefined {
  let length = 0
  for (let i = 1; i < 5; i++) {
    const byte = bytes[i]
    if (byte === undefined) return undefined
    length |= (byte & 0x7f) << (7 * (i - 1))
    if (byte < 0x80) return bytes.length >= i + 1 + length ? { body: i + 1, end: i + 1 + length } : undefined
  }
  return undefined
}
