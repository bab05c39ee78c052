// Outcomes that the broker itself gives.

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
