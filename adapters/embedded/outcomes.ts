// Outcomes that the broker itself gives.

import { AmqpError } from '../../plugin/errors.js'
import type { Outcome } from '../../plugin/host.js'

export const ACCEPTED: Outcome = Object.freeze({ type: 'accepted' })
export const RELEASED: Outcome = Object.freeze({ type: 'released' })

export function rejected(condition: string, description: string): Outcome {
  return { type: 'rejected', condition, description }
}

/** The outcome of a durable message after the write of its batch. */
export function outcomeOfWrite(error: Error | undefined): Outcome {
  return error === undefined ? ACCEPTED : rejected('amqp:internal-error', error.message)
}

/** The error as an outcome; anything but an AmqpError is a bug and thrown. */
export function outcomeOfError(error: unknown): Outcome {
  if (!(error instanceof AmqpError)) throw error
  return { type: 'rejected', condition: error.condition, description: error.description, info: error.info }
}
