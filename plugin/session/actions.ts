// The lists of actions that many places return.
// Rule: a list that closes ends with `close`; session.ts goes by that.

import { BridgeError } from '../errors.js'
import type { FailureCode } from '../errors.js'
import type { Action } from './types.js'

export const NO_ACTIONS: readonly Action[] = Object.freeze([])

/** Ends the connection for a named reason. */
export function close(code: FailureCode, detail: string): readonly Action[] {
  return [{ type: 'close', error: new BridgeError(code, detail) }]
}

/** The same, for a rule that 3.1.1 cannot name to the client: the log does. */
export function closeWarned(code: FailureCode, detail: string, fields: object): readonly Action[] {
  return [
    { type: 'warn', message: 'a client broke a rule', fields: { ...fields, rule: detail } },
    { type: 'close', error: new BridgeError(code, detail) }
  ]
}

/** Answers CONNECT with the failure's return code, where it has one, and ends the connection. */
export function refuse(error: BridgeError): readonly Action[] {
  const returnCode = error.connack
  if (returnCode === undefined) return [{ type: 'close', error }] // [MQTT3-3.2.2-6]
  return [
    // [MQTT3-3.2.2-4] [MQTT3-3.2.2-5]
    { type: 'write', packet: { cmd: 'connack', returnCode, sessionPresent: false } },
    { type: 'close', error }
  ]
}
