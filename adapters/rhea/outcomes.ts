// Outcomes of the port to delivery states of AMQP (part 3, section 3.4) and back.
// Rule: a state that is no outcome (received, transactional) is undefined here, and whoever asks says what that means.

import type { LinkError, Outcome } from '../../plugin/host.js'
import { rheaTypes } from './rhea.js'
import type { Field, RheaError, RheaTyped } from './rhea.js'

const CODE = { error: 0x1d, accepted: 0x24, rejected: 0x25, released: 0x26, modified: 0x27 } as const
const SYMBOLIC: ReadonlyMap<unknown, number> = new Map([
  ['amqp:accepted:list', CODE.accepted],
  ['amqp:rejected:list', CODE.rejected],
  ['amqp:released:list', CODE.released],
  ['amqp:modified:list', CODE.modified]
])

function state(code: number, fields: readonly RheaTyped[]): RheaTyped {
  return rheaTypes.described(rheaTypes.wrap_ulong(code), rheaTypes.wrap_list(fields))
}

/** rhea joins neighbours of these into one disposition. */
const ACCEPTED = state(CODE.accepted, [])
const RELEASED = state(CODE.released, [])

/** The delivery state that says `outcome`. */
export function outcomeState(outcome: Outcome): RheaTyped {
  switch (outcome.type) {
    case 'accepted':
      return ACCEPTED
    case 'released':
      return RELEASED
    case 'modified':
      return state(CODE.modified, [
        rheaTypes.wrap_boolean(outcome.deliveryFailed),
        rheaTypes.wrap_boolean(outcome.undeliverableHere)
      ])
    case 'rejected': {
      const fields = [rheaTypes.wrap_symbol(outcome.condition), rheaTypes.wrap_string(outcome.description)]
      if (outcome.info !== undefined) {
        const info = Object.create(null) as Record<string, string>
        for (const [key, value] of outcome.info) info[key] = value
        fields.push(rheaTypes.wrap_symbolic_map(info))
      }
      return state(CODE.rejected, [state(CODE.error, fields)])
    }
    default:
      return outcome satisfies never
  }
}

/** The outcome that a delivery state says, undefined where it says none. */
export function readOutcome(from: Field<RheaTyped>): Outcome | undefined {
  const descriptor = from?.descriptor?.value
  const fields = Array.isArray(from?.value) ? (from.value as readonly (RheaTyped | undefined)[]) : []
  switch (SYMBOLIC.get(descriptor) ?? descriptor) {
    case CODE.accepted:
      return { type: 'accepted' }
    case CODE.released:
      return { type: 'released' }
    case CODE.modified:
      return {
        type: 'modified',
        deliveryFailed: fields[0]?.value === true,
        undeliverableHere: fields[1]?.value === true
      }
    case CODE.rejected:
      return { type: 'rejected', ...rejection(fields[0]) }
    default:
      return undefined
  }
}

/** rhea's own way to read a map loses keys. */
function rejection(error: RheaTyped | undefined): {
  condition: string
  description: string
  info?: ReadonlyMap<string, string>
} {
  const [condition, description, info] = itemsOf(error)
  const pairs = itemsOf(info)
  const map = new Map<string, string>()
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    map.set(String(pairs[i]?.value), String(rheaTypes.unwrap(pairs[i + 1])))
  }
  return {
    condition: typeof condition?.value === 'string' ? condition.value : 'amqp:internal-error',
    description: typeof description?.value === 'string' ? description.value : '',
    ...(Array.isArray(info?.value) ? { info: map } : {})
  }
}

/** Of a list, or keys and values of a map in turns. */
function itemsOf(typed: RheaTyped | undefined): readonly (RheaTyped | undefined)[] {
  return Array.isArray(typed?.value) ? (typed.value as readonly (RheaTyped | undefined)[]) : []
}

/** A peer's error as data; undefined where it sent none. */
export function readError(error: Field<RheaError>): LinkError | undefined {
  if (error === null || error === undefined) return undefined
  const { condition, description } = error
  return { condition: condition ?? 'amqp:internal-error', description: description ?? '' }
}
