// Strings of MQTT packets: UTF-8 that is checked before anything reads it.
// Rule: bytes that are not well-formed, or hold U+0000, are no string; U+FEFF is a character like any other
// [MQTT3-1.5.3-1] [MQTT3-1.5.3-2] [MQTT3-1.5.3-3].

import { isUtf8 } from 'node:buffer'

/** The string in `bytes` from `start` to `end`; undefined: it is none. */
export function decodeUtf8(bytes: Buffer, start: number, end: number): string | undefined {
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0
    if (byte === 0) return undefined
    if (byte > 0x7f) return decodeWide(bytes.subarray(start, end))
  }
  return bytes.toString('latin1', start, end)
}

function decodeWide(bytes: Buffer): string | undefined {
  return isUtf8(bytes) && !bytes.includes(0) ? bytes.toString('utf8') : undefined
}
