// Finds the sections of an encoded AMQP message and proves that its bytes can be read.
// Rule: whatever bytes come, this returns or throws AmqpError amqp:decode-error; it allocates nothing that grows with what they claim,
// and what it has passed can be decoded without a further check.

import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import { HEADER_FIELDS, isUlong, PROPERTY_FIELDS } from './section-fields.js'
import type { FieldCheck } from './section-fields.js'
import { CODE, isBinary, isList, isMap, isText, LAYOUT } from './typecodes.js'

/** Descriptors of the sections, AMQP 1.0 part 3, section 3.2. */
export const SECTION = {
  header: 0x70,
  deliveryAnnotations: 0x71,
  messageAnnotations: 0x72,
  properties: 0x73,
  applicationProperties: 0x74,
  data: 0x75,
  sequence: 0x76,
  value: 0x77,
  footer: 0x78
} as const

const SYMBOLIC: Readonly<Record<string, number>> = {
  'amqp:header:list': SECTION.header,
  'amqp:delivery-annotations:map': SECTION.deliveryAnnotations,
  'amqp:message-annotations:map': SECTION.messageAnnotations,
  'amqp:properties:list': SECTION.properties,
  'amqp:application-properties:map': SECTION.applicationProperties,
  'amqp:data:binary': SECTION.data,
  'amqp:amqp-sequence:list': SECTION.sequence,
  'amqp:amqp-value:*': SECTION.value,
  'amqp:value:*': SECTION.value,
  'amqp:footer:map': SECTION.footer
}

const MAX_DEPTH = 64
/** Elements of no width (an array of nulls) in one message: they cost memory when read, and no bytes. */
const MAX_EMPTY_ELEMENTS = 4096

/** Where a section is: three numbers each, its descriptor's code, where it starts, and where its value starts. */
export type Sections = readonly number[]
export const STRIDE = 3

function malformed(what: string): AmqpError {
  return new AmqpError(CONDITIONS.decodeError, what)
}

/** The sections in `bytes`, which are proven to be well-formed. Throws AmqpError `amqp:decode-error`. */
export function scanMessage(bytes: Buffer): Sections {
  return new Scan(bytes).message()
}

/**
 * Proves that one value starts at `start` and ends at or before `end`; where it ends. A frame's performative is such a value.
 * Throws AmqpError `amqp:decode-error`.
 */
export function scanValue(bytes: Buffer, start: number, end: number): number {
  return new Scan(bytes, start).value(end)
}

class Scan {
  readonly #bytes: Buffer
  #position: number
  #emptyElements = 0

  constructor(bytes: Buffer, start = 0) {
    this.#bytes = bytes
    this.#position = start
  }

  value(end: number): number {
    this.#rest(this.#take(1, end), end, 0)
    return this.#position
  }

  message(): Sections {
    const sections: number[] = []
    let previous = 0
    while (this.#position < this.#bytes.length) {
      const start = this.#position
      const code = this.#descriptor()
      const repeats = code === previous && (code === SECTION.data || code === SECTION.sequence)
      const second = code >= SECTION.data && code <= SECTION.value && previous >= SECTION.data
      if ((code <= previous || second) && !repeats) throw malformed(`section ${hex(code)} is out of place`)
      previous = code
      sections.push(code, start, this.#position)
      this.#section(code)
    }
    return sections
  }

  #descriptor(): number {
    if (this.#take(1, this.#bytes.length) !== CODE.described) throw malformed('a section has no descriptor')
    const start = this.#position
    const code = this.#take(1, this.#bytes.length)
    if (code === CODE.smallUlong) return known(this.#take(1, this.#bytes.length))
    this.#rest(code, this.#bytes.length, 0)
    if (code === CODE.ulong) return known(Number(this.#bytes.readBigUInt64BE(start + 1)))
    if (code !== CODE.sym8 && code !== CODE.sym32) throw malformed('a descriptor is neither ulong nor symbol')
    const width = code === CODE.sym8 ? 1 : 4
    const name = this.#bytes.toString('latin1', start + 1 + width, Math.min(this.#position, start + 80))
    return known(Object.hasOwn(SYMBOLIC, name) ? (SYMBOLIC[name] ?? 0) : 0)
  }

  #section(section: number): void {
    const end = this.#bytes.length
    const code = this.#take(1, end)
    switch (section) {
      case SECTION.header:
        return this.#fields(code, HEADER_FIELDS)
      case SECTION.properties:
        return this.#fields(code, PROPERTY_FIELDS)
      case SECTION.data:
        if (!isBinary(code)) throw malformed('a data section is not binary')
        return this.#rest(code, end, 0)
      case SECTION.sequence:
        if (!isList(code)) throw malformed('a sequence section is not a list')
        return this.#rest(code, end, 0)
      case SECTION.value:
        return this.#rest(code, end, 0)
      default:
        if (!isMap(code)) throw malformed(`section ${hex(section)} is not a map`)
        return this.#textMap(code)
    }
  }

  /** A list with typed fields. */
  #fields(code: number, checks: readonly FieldCheck[]): void {
    if (code === CODE.list0) return
    if (!isList(code)) throw malformed('a section with fields is not a list')
    const width = code === CODE.list8 ? 1 : 4
    const end = this.#sized(width, this.#bytes.length)
    const count = this.#uint(width, end)
    if (count > checks.length) throw malformed('a section has more fields than its type')
    for (let i = 0; i < count; i++) {
      const field = this.#take(1, end)
      const check = checks[i]
      if (field !== CODE.null && check?.(field) !== true)
        throw malformed(`field ${i} has the type ${hex(field)}`)
      this.#rest(field, end, 1)
    }
    this.#expectEnd(end)
  }

  /** A map whose keys are strings or symbols; AMQP reserves ulong keys for itself. */
  #textMap(code: number): void {
    const width = code === CODE.map8 ? 1 : 4
    const end = this.#sized(width, this.#bytes.length)
    const count = this.#uint(width, end)
    if (count % 2 !== 0) throw malformed('a map has a key without a value')
    for (let i = 0; i < count; i += 2) {
      const key = this.#take(1, end)
      if (!isText(key) && !isUlong(key)) throw malformed(`a key has the type ${hex(key)}`)
      this.#rest(key, end, 1)
      this.#rest(this.#take(1, end), end, 1)
    }
    this.#expectEnd(end)
  }

  /** Passes over what follows the constructor `code`. */
  #rest(code: number, end: number, depth: number): void {
    if (code === CODE.described) {
      if (depth >= MAX_DEPTH) throw malformed('values are nested too deep')
      this.#rest(this.#take(1, end), end, depth + 1)
      return this.#rest(this.#take(1, end), end, depth + 1)
    }
    const layout = LAYOUT[code]
    if (layout === undefined) throw malformed(`${hex(code)} is no type`)
    switch (layout.shape) {
      case 'fixed':
        if (code === CODE.char && this.#peekUint(end) > 0x10ffff) throw malformed('a char is no code point')
        return this.#skip(layout.width, end)
      case 'variable':
        this.#position = this.#sized(layout.width, end)
        return
      case 'compound':
        return this.#compound(code, layout.width, end, depth)
      case 'array':
        return this.#array(layout.width, end, depth)
    }
  }

  #compound(code: number, width: number, outer: number, depth: number): void {
    if (depth >= MAX_DEPTH) throw malformed('values are nested too deep')
    const end = this.#sized(width, outer)
    const count = this.#uint(width, end)
    if (isMap(code) && count % 2 !== 0) throw malformed('a map has a key without a value')
    for (let i = 0; i < count; i++) this.#rest(this.#take(1, end), end, depth + 1)
    this.#expectEnd(end)
  }

  #array(width: number, outer: number, depth: number): void {
    if (depth >= MAX_DEPTH) throw malformed('values are nested too deep')
    const end = this.#sized(width, outer)
    const count = this.#uint(width, end)
    let element = this.#take(1, end)
    for (let nested = depth; element === CODE.described; nested++) {
      if (nested >= MAX_DEPTH) throw malformed('values are nested too deep')
      this.#rest(this.#take(1, end), end, nested + 1)
      element = this.#take(1, end)
    }
    const layout = LAYOUT[element]
    if (layout === undefined) throw malformed(`${hex(element)} is no type`)
    if (layout.width === 0) {
      this.#emptyElements += count
      if (this.#emptyElements > MAX_EMPTY_ELEMENTS) throw malformed('an array has too many empty elements')
    } else {
      for (let i = 0; i < count; i++) this.#rest(element, end, depth + 1)
    }
    this.#expectEnd(end)
  }

  /** Reads a size field; where that many bytes from here end. */
  #sized(width: number, end: number): number {
    const size = this.#uint(width, end)
    if (size > end - this.#position) throw malformed('a value is longer than what holds it')
    return this.#position + size
  }

  #uint(width: number, end: number): number {
    if (width === 1) return this.#take(1, end)
    const value = this.#peekUint(end)
    this.#position += 4
    return value
  }

  #peekUint(end: number): number {
    if (end - this.#position < 4) throw malformed('the message ends within a value')
    return this.#bytes.readUInt32BE(this.#position)
  }

  #take(count: 1, end: number): number {
    const at = this.#position
    this.#skip(count, end)
    return this.#bytes[at] ?? 0
  }

  #skip(count: number, end: number): void {
    if (count > end - this.#position) throw malformed('the message ends within a value')
    this.#position += count
  }

  #expectEnd(end: number): void {
    if (this.#position !== end) throw malformed('a value is shorter than its size')
  }
}

function known(code: number): number {
  if (code < SECTION.header || code > SECTION.footer) throw malformed(`${hex(code)} is no section`)
  return code
}

function hex(code: number): string {
  return `0x${code.toString(16).padStart(2, '0')}`
}
