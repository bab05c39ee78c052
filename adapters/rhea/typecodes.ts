// AMQP 1.0 part 1, section 1.6: the constructors of the primitive types, and how many bytes follow them.
// Rule: a table; nobody else knows what a code means for the size of a value.

export const CODE = {
  described: 0x00,
  null: 0x40,
  true: 0x41,
  false: 0x42,
  uint0: 0x43,
  ulong0: 0x44,
  list0: 0x45,
  ubyte: 0x50,
  byte: 0x51,
  smallUint: 0x52,
  smallUlong: 0x53,
  smallInt: 0x54,
  smallLong: 0x55,
  boolean: 0x56,
  ushort: 0x60,
  short: 0x61,
  uint: 0x70,
  int: 0x71,
  float: 0x72,
  char: 0x73,
  decimal32: 0x74,
  ulong: 0x80,
  long: 0x81,
  double: 0x82,
  timestamp: 0x83,
  decimal64: 0x84,
  decimal128: 0x94,
  uuid: 0x98,
  bin8: 0xa0,
  str8: 0xa1,
  sym8: 0xa3,
  bin32: 0xb0,
  str32: 0xb1,
  sym32: 0xb3,
  list8: 0xc0,
  map8: 0xc1,
  list32: 0xd0,
  map32: 0xd1,
  array8: 0xe0,
  array32: 0xf0
} as const

export type Shape = 'fixed' | 'variable' | 'compound' | 'array'

/** By the code's high nibble: width is that of the value, or of its size field. */
const CATEGORIES: readonly { readonly shape: Shape; readonly width: number }[] = [
  { shape: 'fixed', width: 0 },
  { shape: 'fixed', width: 1 },
  { shape: 'fixed', width: 2 },
  { shape: 'fixed', width: 4 },
  { shape: 'fixed', width: 8 },
  { shape: 'fixed', width: 16 },
  { shape: 'variable', width: 1 },
  { shape: 'variable', width: 4 },
  { shape: 'compound', width: 1 },
  { shape: 'compound', width: 4 },
  { shape: 'array', width: 1 },
  { shape: 'array', width: 4 }
]

const KNOWN = new Set<number>(Object.values(CODE))
KNOWN.delete(CODE.described)

/** Undefined for a code that is no type. Indexed by the code. */
export const LAYOUT: readonly ({ readonly shape: Shape; readonly width: number } | undefined)[] = Array.from(
  { length: 256 },
  (_, code) => (KNOWN.has(code) ? CATEGORIES[(code >> 4) - 4] : undefined)
)

export function isMap(code: number): boolean {
  return code === CODE.map8 || code === CODE.map32
}

export function isList(code: number): boolean {
  return code === CODE.list0 || code === CODE.list8 || code === CODE.list32
}

export function isBinary(code: number): boolean {
  return code === CODE.bin8 || code === CODE.bin32
}

export function isText(code: number): boolean {
  return code === CODE.str8 || code === CODE.str32 || code === CODE.sym8 || code === CODE.sym32
}
