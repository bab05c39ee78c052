// A message in AMQP bytes, written by hand: every type of AMQP 1.0, in the encodings that an encoder would not choose.
// Rule: no AMQP library takes part, so that none can hide what it changes.

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s+/g, ''), 'hex')

const short = (code: number, text: string): Buffer =>
  Buffer.concat([Buffer.of(code, Buffer.byteLength(text)), Buffer.from(text)])
const str = (text: string): Buffer => short(0xa1, text)
const symbol = (text: string): Buffer => short(0xa3, text)
const uint32 = (number: number): Buffer => hex(number.toString(16).padStart(8, '0'))

/** list32 or map32 of encoded items */
const compound = (code: number, items: readonly Buffer[]): Buffer => {
  const content = Buffer.concat(items)
  return Buffer.concat([Buffer.of(code), uint32(content.length + 4), uint32(items.length), content])
}

const section = (code: number, content: Buffer): Buffer =>
  Buffer.concat([Buffer.of(0x00, 0x53, code), content])

/** A wide and a narrow encoding of each primitive type. */
const PRIMITIVES: readonly (readonly [name: string, encoded: Buffer])[] = [
  ['null', hex('40')],
  ['boolean', hex('56 01')],
  ['true', hex('41')],
  ['false', hex('42')],
  ['ubyte', hex('50 07')],
  ['ushort', hex('60 0007')],
  ['uint', hex('70 00000007')],
  ['smalluint', hex('52 07')],
  ['uint0', hex('43')],
  ['ulong', hex('80 0000000000000007')],
  ['smallulong', hex('53 07')],
  ['ulong0', hex('44')],
  ['byte', hex('51 f9')],
  ['short', hex('61 0007')],
  ['int', hex('71 00000007')],
  ['smallint', hex('54 07')],
  ['long', hex('81 0000000000000007')],
  ['smalllong', hex('55 07')],
  ['float', hex('72 3fc00000')],
  ['double', hex('82 3ff8000000000000')],
  ['decimal32', hex('74 22500001')],
  ['decimal64', hex('84 2234000000000001')],
  ['decimal128', hex('94 22080000000000000000000000000001')],
  ['char', hex('73 0001f600')],
  ['timestamp', hex('83 0000018bcfe5687b')],
  ['uuid', hex('98 000102030405060708090a0b0c0d0e0f')],
  ['binary', hex('a0 02 00ff')],
  ['binary32', hex('b0 00000002 00ff')],
  ['string', str('text')],
  ['string32', hex('b1 00000004 74657874')],
  ['symbol', hex('a3 03 73796d')],
  ['symbol32', hex('b3 00000003 73796d')]
]

const COMPOUNDS: readonly Buffer[] = [
  hex('45'),
  hex('c0 01 00'),
  hex('c0 07 02 71 00000001 40'),
  compound(0xd0, [hex('71 00000001'), hex('45')]),
  compound(0xd1, [
    str('__proto__'),
    hex('41'),
    str('2'),
    hex('42'),
    str('1'),
    hex('40'),
    hex('52 05'),
    str('x')
  ]),
  // arrays: of int, of symbol, of nothing
  hex('e0 0a 02 71 00000001 00000002'),
  hex('f0 0000000d 00000002 71 00000001 00000002'),
  hex('e0 06 02 a3 01 61 01 62'),
  // described: a symbol and a ulong as descriptors
  hex('00 a3 03 782e79 a1 01 7a'),
  hex('00 80 0000000000000123 45')
]

const HEADER = section(0x70, compound(0xd0, [hex('41'), hex('50 05')]))
const ANNOTATIONS = section(
  0x72,
  compound(
    0xd1,
    PRIMITIVES.flatMap(([name, encoded]) => [symbol(name), encoded])
  )
)
const PROPERTIES = section(
  0x73,
  compound(0xd0, [hex('80 0000000000000007'), hex('40'), hex('b1 00000001 74')])
)
const APPLICATION_PROPERTIES = section(
  0x74,
  compound(0xd1, [
    ...PRIMITIVES.flatMap(([name, encoded]) => [str(name), encoded]),
    ...['__proto__', '10', '2', '1'].flatMap(name => [str(name), str(name)])
  ])
)
const BODY = section(0x77, compound(0xd0, [...PRIMITIVES.map(([, encoded]) => encoded), ...COMPOUNDS]))
const FOOTER = section(0x78, compound(0xd1, [hex('a3 03 637263'), hex('71 00000009')]))

/** The bare message and its footer: what nobody on the way may change. */
export const bareBytes = (): Buffer => Buffer.concat([PROPERTIES, APPLICATION_PROPERTIES, BODY, FOOTER])

export const ENCODED: Buffer = Buffer.concat([HEADER, ANNOTATIONS, bareBytes()])
