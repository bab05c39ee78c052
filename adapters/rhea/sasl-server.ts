// SASL as a server: ANONYMOUS and PLAIN (AMQP 1.0 part 5, section 5.3).
// Rule: one try per connection. rhea's own server is not used: it takes a pipelined open (Proton sends one) for a frame of a
// gigabyte, tries again without end, and knows passwords only as strings.

import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { AmqpValue, Credentials } from '../../plugin/host.js'
import { Reader, Writer } from './rhea.js'
import { CODE } from './typecodes.js'
import { readValue } from './value-reader.js'

export type SaslMechanism = Credentials['mechanism']

export const SASL_HEADER = Buffer.from([0x41, 0x4d, 0x51, 0x50, 3, 1, 0, 0])
export const AMQP_HEADER = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 1, 0, 0])
/** bytes; before it knows a user a server holds no more than this of one frame */
export const SASL_MAX_FRAME_SIZE = 4096

const DESCRIPTOR = { mechanisms: 0x40, init: 0x41, outcome: 0x44 } as const

/** Codes of a SASL outcome. `temporary`: the server could not find out. */
const SASL_CODE = { ok: 0, auth: 1, temporary: 4 } as const
export type SaslCode = keyof typeof SASL_CODE

/** Starts a SASL frame; finish() fills in its size. */
function frame(descriptor: number): Writer {
  const writer = new Writer(Buffer.allocUnsafe(128))
  for (const part of [0, 0x02010000]) writer.write_uint(part, 4)
  for (const byte of [CODE.described, CODE.smallUlong, descriptor]) writer.write_uint(byte, 1)
  return writer
}

function finish(writer: Writer): Buffer {
  const bytes = writer.toBuffer()
  bytes.writeUInt32BE(bytes.length, 0)
  return bytes
}

/** The header and the frame that offer `mechanisms`. */
export function saslMechanisms(mechanisms: readonly SaslMechanism[]): Buffer {
  const names = Buffer.concat(mechanisms.map(name => Buffer.from([name.length, ...Buffer.from(name)])))
  const array = [CODE.array8, names.length + 2, mechanisms.length, CODE.sym8]
  const writer = frame(DESCRIPTOR.mechanisms)
  for (const byte of [CODE.list8, 1 + array.length + names.length, 1, ...array]) writer.write_uint(byte, 1)
  writer.write_bytes(names)
  return Buffer.concat([SASL_HEADER, finish(writer)])
}

export function saslOutcome(code: SaslCode): Buffer {
  const writer = frame(DESCRIPTOR.outcome)
  for (const byte of [CODE.list8, 3, 1, CODE.ubyte, SASL_CODE[code]]) writer.write_uint(byte, 1)
  return finish(writer)
}

/** Reads a sasl-init frame that FrameReader has passed; undefined for a mechanism that is not in `offered`. Throws AmqpError. */
export function readSaslInit(bytes: Buffer, offered: readonly SaslMechanism[]): Credentials | undefined {
  const reader = new Reader(bytes)
  reader.position = (bytes[4] ?? 0) * 4
  const empty = reader.position === bytes.length
  if (empty || reader.read_uint(1) !== CODE.described || readValue(reader) !== DESCRIPTOR.init) {
    throw new AmqpError(CONDITIONS.decodeError, 'a SASL frame that is no sasl-init')
  }
  const code = bytes[reader.position]
  if (code !== CODE.list8 && code !== CODE.list32)
    throw new AmqpError(CONDITIONS.decodeError, 'sasl-init is no list')
  const [mechanism, response] = readValue(reader) as readonly AmqpValue[]
  const known = offered.find(name => name === mechanism)
  if (known === undefined) return undefined
  return known === 'PLAIN' ? plain(response) : { mechanism: 'ANONYMOUS' }
}

/** RFC 4616: authzid NUL authcid NUL password. */
function plain(response: AmqpValue | undefined): Credentials {
  if (!(response instanceof Uint8Array))
    throw new AmqpError(CONDITIONS.decodeError, 'PLAIN without a response')
  const user = response.indexOf(0) + 1
  const end = response.indexOf(0, user)
  const password = response.subarray(end + 1)
  if (user === 0 || end <= user || password.includes(0)) {
    throw new AmqpError(CONDITIONS.decodeError, 'a PLAIN response that cannot be read')
  }
  const username = Buffer.from(response.subarray(user, end)).toString('utf8')
  return { mechanism: 'PLAIN', username, password: Uint8Array.from(password) }
}
