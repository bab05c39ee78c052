// What the broker's errors mean in the port's terms.
// Rule: a code in the description decides (AMQ and six digits), since the condition is often `internal-error` or `failed`; an error
// without a known code stays as it came.

import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { LinkError, Outcome } from '../../plugin/host.js'

const CODES: ReadonlyMap<string, string> = new Map([
  ['AMQ229012', CONDITIONS.notFound], // no such divert
  ['AMQ229017', CONDITIONS.notFound], // no such queue
  ['AMQ229067', CONDITIONS.notFound], // no such queue or address to ask
  ['AMQ229203', CONDITIONS.notFound], // no such address
  ['AMQ119002', CONDITIONS.notFound], // the target of a sender is not there
  ['AMQ119010', CONDITIONS.notFound], // the source of a receiver is not there
  ['AMQ229025', CONDITIONS.resourceLocked], // the queue has consumers
  ['AMQ229200', CONDITIONS.resourceLocked], // as many consumers as it may have
  ['AMQ229210', CONDITIONS.resourceLocked], // more consumers than it shall have
  ['AMQ229031', CONDITIONS.unauthorized], // unknown user, or wrong password
  ['AMQ229032', CONDITIONS.unauthorized], // no permission
  ['AMQ229213', CONDITIONS.unauthorized] // no permission on the queue of an address
])

export function translated({ condition, description }: LinkError): AmqpError {
  const codes = description.match(/AMQ\d{6}/g) ?? []
  const known = codes.map(code => CODES.get(code)).find(each => each !== undefined)
  return new AmqpError(known ?? condition, description)
}

/** Rejects with what the broker's error means. */
export async function translating<T>(attempt: Promise<T>): Promise<T> {
  try {
    return await attempt
  } catch (error) {
    throw error instanceof AmqpError ? translated(error) : error
  }
}

export function translatedOutcome(outcome: Outcome): Outcome {
  if (outcome.type !== 'rejected') return outcome
  const { condition, description } = translated(outcome)
  return { ...outcome, condition, description }
}
