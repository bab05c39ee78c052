// AMQP values to bytes, over rhea's Writer.
// Rule: AmqpValue says which type a value gets; what its type cannot hold is a RangeError, never another value.

import type { AmqpTyped, AmqpValue } from '../../plugin/host.js'
import type { Writer } from './rhea.js'
import { CODE } from './typecodes.js'

/** Writes one value by the rules of AmqpValue. Throws a RangeError for a number that its type cannot hold. */
export function writeValue(writer: Writer, value: AmqpValue): void {
  if (value === null) writer.write_uint(CODE.null, 1)
  else if (value === true) writer.write_uint(CODE.true, 1)
  else if (value === false) writer.write_uint(CODE.false, 1)
  else if (typeof value === 'string') writeText(writer, value, CODE.str8, CODE.str32)
  else if (typeof value === 'number') writeNumber(writer, value)
  else if (typeof value === 'bigint') writeLong(writer, value, CODE.long)
  else if (value instanceof Uint8Array) writeBinary(writer, value)
  else if (value instanceof Map) writeMap(writer, value, writeValue)
  else if (Array.isArray(value)) writeList(writer, value)
  else writeTyped(writer, value as AmqpTyped)
}

function writeNumber(writer: Writer, value: number): void {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) writeDouble(writer, value)
  else if (value >= -128 && value <= 127) {
    writer.write_uint(CODE.smallInt, 1)
    writer.write_uint(value & 0xff, 1)
  } else if (value === (value | 0)) {
    writer.write_uint(CODE.int, 1)
    writer.write_uint(value >>> 0, 4)
  } else writeLong(writer, BigInt(value), CODE.long)
}

/** Makes room for `count` bytes, passes over them and says where they are. */
function reserve(writer: Writer, count: number): number {
  const at = writer.position
  writer.ensure(at + count)
  writer.position = at + count
  return at
}

function writeDouble(writer: Writer, value: number): void {
  writer.write_uint(CODE.double, 1)
  const at = reserve(writer, 8)
  writer.buffer.writeDoubleBE(value, at)
}

function writeLong(writer: Writer, value: bigint, code: number): void {
  writer.write_uint(code, 1)
  const at = reserve(writer, 8)
  if (code === CODE.ulong) writer.buffer.writeBigUInt64BE(value, at)
  else writer.buffer.writeBigInt64BE(value, at)
}

/** A string or symbol; symbols are ASCII in AMQP, what is not goes out as UTF-8. */
export function writeText(writer: Writer, text: string, code8: number, code32: number): void {
  const length = Buffer.byteLength(text)
  writeLength(writer, length, code8, code32)
  const at = reserve(writer, length)
  writer.buffer.write(text, at, 'utf8')
}

export function writeSymbol(writer: Writer, text: string): void {
  writeText(writer, text, CODE.sym8, CODE.sym32)
}

export function writeBinary(writer: Writer, bytes: Uint8Array): void {
  writeLength(writer, bytes.length, CODE.bin8, CODE.bin32)
  const at = reserve(writer, bytes.length)
  writer.buffer.set(bytes, at)
}

function writeLength(writer: Writer, length: number, code8: number, code32: number): void {
  if (length <= 0xff) {
    writer.write_uint(code8, 1)
    writer.write_uint(length, 1)
  } else {
    writer.write_uint(code32, 1)
    writer.write_uint(length, 4)
  }
}

/** Writes a compound whose size and count are filled in when its content is there. */
function writeCompound(writer: Writer, code: number, content: () => number): void {
  writer.write_uint(code, 1)
  const at = reserve(writer, 8)
  const count = content()
  writer.buffer.writeUInt32BE(writer.position - at - 4, at)
  writer.buffer.writeUInt32BE(count, at + 4)
}

export function writeList(writer: Writer, items: readonly AmqpValue[]): void {
  if (items.length === 0) {
    writer.write_uint(CODE.list0, 1)
    return
  }
  writeCompound(writer, CODE.list32, () => {
    for (const item of items) writeValue(writer, item)
    return items.length
  })
}

export function writeMap<K>(
  writer: Writer,
  map: ReadonlyMap<K, AmqpValue>,
  writeKey: (writer: Writer, key: K) => void
): void {
  writeCompound(writer, CODE.map32, () => {
    for (const [key, value] of map) {
      writeKey(writer, key)
      writeValue(writer, value)
    }
    return map.size * 2
  })
}

const INTEGERS = {
  ubyte: { code: CODE.ubyte, write: Buffer.prototype.writeUInt8, width: 1 },
  ushort: { code: CODE.ushort, write: Buffer.prototype.writeUInt16BE, width: 2 },
  uint: { code: CODE.uint, write: Buffer.prototype.writeUInt32BE, width: 4 },
  byte: { code: CODE.byte, write: Buffer.prototype.writeInt8, width: 1 },
  short: { code: CODE.short, write: Buffer.prototype.writeInt16BE, width: 2 },
  int: { code: CODE.int, write: Buffer.prototype.writeInt32BE, width: 4 }
} as const

export function writeTyped(writer: Writer, typed: AmqpTyped): void {
  const { type, value } = typed
  switch (type) {
    case 'symbol':
      writeSymbol(writer, text(value))
      return
    case 'uuid': {
      if (!(value instanceof Uint8Array) || value.length !== 16) throw new RangeError('a uuid has 16 bytes')
      writer.write_uint(CODE.uuid, 1)
      const at = reserve(writer, 16)
      writer.buffer.set(value, at)
      return
    }
    case 'ulong':
    case 'long':
    case 'timestamp':
      writeLong(writer, BigInt(numeric(value)), CODE[type])
      return
    case 'double':
      writeDouble(writer, Number(numeric(value)))
      return
    case 'float': {
      writer.write_uint(CODE.float, 1)
      const at = reserve(writer, 4)
      writer.buffer.writeFloatBE(Number(numeric(value)), at)
      return
    }
    default: {
      const { code, write, width } = INTEGERS[type]
      writer.write_uint(code, 1)
      const at = reserve(writer, width)
      write.call(writer.buffer, Number(numeric(value)), at)
    }
  }
}

function text(value: AmqpTyped['value']): string {
  if (typeof value !== 'string') throw new RangeError('a symbol is a string')
  return value
}

function numeric(value: AmqpTyped['value']): number | bigint {
  if (typeof value !== 'number' && typeof value !== 'bigint') throw new RangeError('a number was expected')
  return value
}
