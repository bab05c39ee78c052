// What must be true of the bytes of CONNECT, SUBSCRIBE and UNSUBSCRIBE of MQTT 3.1 and 3.1.1 before a parser reads them.
// Rule: every byte belongs to a field, and every string is one; the parser behind may then believe the packet.

import { BridgeError } from '../errors.js'
import { decodeUtf8 } from './utf8.js'

/** Protocol name to the one level of it that is served. */
const SERVED: Readonly<Record<string, number | undefined>> = { MQTT: 4, MQIsdp: 3 }

const RESERVED = 0x01
const WILL = 0x04
const WILL_QOS = 0x18
const WILL_RETAIN = 0x20
const PASSWORD = 0x40
const USERNAME = 0x80

/** Goes over the fields of a packet; after the first fault nothing more is read. */
class Fields {
  readonly #bytes: Buffer
  readonly #end: number
  #at: number
  #fault: string | undefined

  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes
    this.#at = start
    this.#end = bytes.length
  }

  get fault(): string | undefined {
    return this.#fault
  }

  get more(): boolean {
    return this.#fault === undefined && this.#at < this.#end
  }

  fail(fault: string): void {
    this.#fault ??= fault
  }

  byte(name: string): number {
    return this.#take(name, 1) ? (this.#bytes[this.#at - 1] ?? 0) : 0
  }

  number(name: string): number {
    return this.#take(name, 2) ? this.#bytes.readUInt16BE(this.#at - 2) : 0
  }

  binary(name: string): void {
    this.#take(name, this.number(name))
  }

  string(name: string): string {
    const size = this.number(name)
    if (!this.#take(name, size)) return ''
    const text = decodeUtf8(this.#bytes, this.#at - size, this.#at)
    if (text === undefined) this.fail(`${name} is no UTF-8 string`)
    return text ?? ''
  }

  packetId(): void {
    if (this.number('packet id') === 0) this.fail('packet id 0') // [MQTT3-2.3.1-1]
  }

  /** The fault of the packet, which ends here. */
  finish(): BridgeError | undefined {
    if (this.more) this.fail('bytes after the last field')
    return this.#fault === undefined ? undefined : new BridgeError('malformedPacket', this.#fault)
  }

  #take(name: string, size: number): boolean {
    if (this.#fault !== undefined) return false
    if (this.#at + size > this.#end) this.fail(`${name} is cut off`)
    else this.#at += size
    return this.#fault === undefined
  }
}

/** `body`: the packet after its fixed header. `protocolVersion`: a level that is not served, whose rest nobody can read. */
export function checkConnect(body: Buffer): BridgeError | undefined {
  const fields = new Fields(body, 0)
  const name = fields.string('protocol name')
  const level = fields.byte('protocol level')
  if (fields.fault === undefined) {
    if (!Object.hasOwn(SERVED, name)) return new BridgeError('malformedPacket', 'a protocol that is not MQTT') // [MQTT3-3.1.2-1]
    // [MQTT3-3.1.2-2]
    if (SERVED[name] !== level)
      return new BridgeError('protocolVersion', `protocol level ${level} of ${name}`)
  }
  const flags = fields.byte('connect flags')
  const flagsFault = findFlagsFault(flags)
  if (flagsFault !== undefined) fields.fail(flagsFault)
  fields.number('keep alive')
  fields.string('client id') // [MQTT3-3.1.3-3] [MQTT3-3.1.3-4]
  if ((flags & WILL) !== 0) {
    fields.string('will topic') // [MQTT3-3.1.2-9] [MQTT3-3.1.3-10]
    fields.binary('will message')
  }
  if ((flags & USERNAME) !== 0) fields.string('user name') // [MQTT3-3.1.2-19] [MQTT3-3.1.3-11]
  if ((flags & PASSWORD) !== 0) fields.binary('password') // [MQTT3-3.1.2-21]
  return fields.finish() // [MQTT3-3.1.2-18] [MQTT3-3.1.2-20]
}

function findFlagsFault(flags: number): string | undefined {
  if ((flags & RESERVED) !== 0) return 'the reserved connect flag' // [MQTT3-3.1.2-3]
  // [MQTT3-3.1.2-11] [MQTT3-3.1.2-13] [MQTT3-3.1.2-15]
  if ((flags & WILL) === 0 && (flags & (WILL_QOS | WILL_RETAIN)) !== 0) return 'will flags without a will'
  if ((flags & WILL_QOS) === WILL_QOS) return 'will QoS 3' // [MQTT3-3.1.2-14]
  if ((flags & PASSWORD) !== 0 && (flags & USERNAME) === 0) return 'a password without a user name' // [MQTT3-3.1.2-22]
  return undefined
}

export function checkSubscribe(body: Buffer): BridgeError | undefined {
  const fields = new Fields(body, 0)
  fields.packetId()
  if (!fields.more) fields.fail('no topic filter') // [MQTT3-3.8.3-3]
  while (fields.more) {
    fields.string('topic filter') // [MQTT3-3.8.3-1]
    if (fields.byte('requested QoS') > 2) fields.fail('reserved bits or QoS 3 in a requested QoS') // [MQTT3-3-8.3-4]
  }
  return fields.finish()
}

export function checkUnsubscribe(body: Buffer): BridgeError | undefined {
  const fields = new Fields(body, 0)
  fields.packetId()
  if (!fields.more) fields.fail('no topic filter') // [MQTT3-3.10.3-2]
  while (fields.more) fields.string('topic filter') // [MQTT3-3.10.3-1]
  return fields.finish()
}
