// Which constructors the fields of header and properties may have (AMQP 1.0 part 3, section 3.2).
// Rule: null may always stand for a field; strings and symbols for one another, since clients mix them up and nothing is lost.

import { CODE, isBinary, isText } from './typecodes.js'

/** Takes a constructor's code. */
export type FieldCheck = (code: number) => boolean
const isBoolean: FieldCheck = code => code === CODE.true || code === CODE.false || code === CODE.boolean
const isUint: FieldCheck = code => code === CODE.uint || code === CODE.smallUint || code === CODE.uint0
const isTimestamp: FieldCheck = code => code === CODE.timestamp
export const isUlong: FieldCheck = code =>
  code === CODE.ulong || code === CODE.smallUlong || code === CODE.ulong0
/** wider than AMQP's message-id by the other integers, which some clients write */
const isMessageId: FieldCheck = code =>
  isText(code) ||
  isUlong(code) ||
  isUint(code) ||
  code === CODE.int ||
  code === CODE.smallInt ||
  code === CODE.long ||
  code === CODE.smallLong ||
  code === CODE.uuid ||
  isBinary(code)

/** In the section's order. */
export const HEADER_FIELDS: readonly FieldCheck[] = [
  isBoolean,
  code => code === CODE.ubyte,
  isUint,
  isBoolean,
  isUint
]
/** In the section's order. */
export const PROPERTY_FIELDS: readonly FieldCheck[] = [
  isMessageId,
  isBinary,
  isText,
  isText,
  isText,
  isMessageId,
  isText,
  isText,
  isTimestamp,
  isTimestamp,
  isText,
  isUint,
  isText
]
