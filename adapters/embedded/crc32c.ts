// CRC-32C (Castagnoli), and the form in which LevelDB stores it.
// Rule: eight bytes a step, for whole files pass through here when a store is opened.

const POLYNOMIAL = 0x82f63b78
const SLICES = 8
const MASK_DELTA = 0xa282ead8

const TABLE = makeTable()

function makeTable(): Int32Array {
  const table = new Int32Array(256 * SLICES)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    table[byte] = crc
  }
  for (let at = 256; at < table.length; at++) {
    const before = table[at - 256] ?? 0
    table[at] = (before >>> 8) ^ (table[before & 0xff] ?? 0)
  }
  return table
}

const look = (slice: number, byte: number): number => TABLE[slice * 256 + (byte & 0xff)] ?? 0

/** Of the bytes from `start` to `end`, unsigned. */
export function crc32c(bytes: Buffer, start: number, end: number): number {
  let crc = -1
  let at = start
  for (; at + SLICES <= end; at += SLICES) {
    const low = crc ^ bytes.readInt32LE(at)
    const high = bytes.readInt32LE(at + 4)
    crc =
      look(7, low) ^
      look(6, low >>> 8) ^
      look(5, low >>> 16) ^
      look(4, low >>> 24) ^
      look(3, high) ^
      look(2, high >>> 8) ^
      look(1, high >>> 16) ^
      look(0, high >>> 24)
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ look(0, crc ^ (bytes[at] ?? 0))
  return ~crc >>> 0
}

/** As LevelDB writes it. */
export function maskedCrc32c(bytes: Buffer, start: number, end: number): number {
  const crc = crc32c(bytes, start, end)
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0
}
