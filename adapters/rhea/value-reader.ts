// AMQP values from bytes, over rhea's Reader.
// Rule: the bytes have passed scan.ts, and reading cannot fail on those. rhea's own values are not used: they lose types, the order of
// maps and whole keys.

import type { AmqpValue } from '../../plugin/host.js'
import type { Reader } from './rhea.js'
import { CODE, isMap, LAYOUT } from './typecodes.js'

/** Reads one value; its descriptors are passed over. */
export function readValue(reader: Reader): AmqpValue {
  return readOf(reader, readCode(reader))
}

/** The constructor of the next value, without its descriptors. */
function readCode(reader: Reader): number {
  let code = reader.read_uint(1)
  while (code === CODE.described) {
    readValue(reader)
    code = reader.read_uint(1)
  }
  return code
}

function readOf(reader: Reader, code: number): AmqpValue {
  const at = reader.position
  switch (code) {
    case CODE.null:
      return null
    case CODE.true:
      return true
    case CODE.false:
      return false
    case CODE.uint0:
    case CODE.ulong0:
      return 0
    case CODE.list0:
      return []
    case CODE.boolean:
      return reader.read_uint(1) !== 0
    case CODE.ubyte:
    case CODE.smallUint:
    case CODE.smallUlong:
      return reader.read_uint(1)
    case CODE.ushort:
      return reader.read_uint(2)
    case CODE.uint:
      return reader.read_uint(4)
    case CODE.byte:
    case CODE.smallInt:
    case CODE.smallLong:
      reader.skip(1)
      return reader.buffer.readInt8(at)
    case CODE.short:
      reader.skip(2)
      return reader.buffer.readInt16BE(at)
    case CODE.int:
      reader.skip(4)
      return reader.buffer.readInt32BE(at)
    case CODE.float:
      reader.skip(4)
      return reader.buffer.readFloatBE(at)
    case CODE.double:
      reader.skip(8)
      return reader.buffer.readDoubleBE(at)
    case CODE.ulong:
      reader.skip(8)
      return exact(reader.buffer.readBigUInt64BE(at))
    case CODE.long:
      reader.skip(8)
      return exact(reader.buffer.readBigInt64BE(at))
    case CODE.timestamp:
      reader.skip(8)
      return { type: 'timestamp', value: exact(reader.buffer.readBigInt64BE(at)) }
    case CODE.uuid:
      return { type: 'uuid', value: reader.read_bytes(16) }
    case CODE.char:
      return String.fromCodePoint(reader.read_uint(4))
    default:
      return readSized(reader, code)
  }
}

function exact(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function readSized(reader: Reader, code: number): AmqpValue {
  const layout = LAYOUT[code]
  if (layout === undefined) throw new RangeError(`no type has the code ${code}`)
  const width = layout.width === 1 ? 1 : 4
  switch (layout.shape) {
    case 'fixed': // the decimals
      return reader.read_bytes(layout.width)
    case 'variable': {
      const length = reader.read_uint(width)
      if (code === CODE.bin8 || code === CODE.bin32) return reader.read_bytes(length)
      const start = reader.position
      reader.skip(length)
      return reader.buffer.toString('utf8', start, start + length)
    }
    case 'compound':
      reader.skip(width)
      return isMap(code)
        ? readPairs(reader, reader.read_uint(width))
        : readItems(reader, reader.read_uint(width))
    case 'array': {
      reader.skip(width)
      const count = reader.read_uint(width)
      const element = readCode(reader)
      const items: AmqpValue[] = []
      while (items.length < count) items.push(readOf(reader, element))
      return items
    }
  }
}

function readItems(reader: Reader, count: number): readonly AmqpValue[] {
  const items: AmqpValue[] = []
  while (items.length < count) items.push(readValue(reader))
  return items
}

function readPairs(reader: Reader, count: number): ReadonlyMap<AmqpValue, AmqpValue> {
  const map = new Map<AmqpValue, AmqpValue>()
  for (let i = 0; i < count; i += 2) {
    const key = readValue(reader)
    map.set(key, readValue(reader))
  }
  return map
}
