// What the host made of a publication, in the words of the session core.
// Rule: only a rejection is final; whatever else came, the publication may be sent again.

import { CONDITIONS } from '../errors.js'
import type { Outcome } from '../host.js'
import type { PublishResult } from '../session/types.js'

const ACCEPTED: PublishResult = { type: 'accepted' }
const FAILED: PublishResult = { type: 'failed' }

/** The outcome of AMQP_PUBLISH as the session core takes it. */
export function publishResultOf(outcome: Outcome): PublishResult {
  switch (outcome.type) {
    case 'accepted':
      return ACCEPTED
    case 'released':
    case 'modified':
      return FAILED
    case 'rejected':
      return {
        type: 'rejected',
        reason: reasonOf(outcome.condition),
        description: `${outcome.condition}: ${outcome.description}`
      }
    default:
      return outcome satisfies never
  }
}

/** AMQP condition of a rejected publication to MQTT 5.0 reason code (protocol.md 9). */
function reasonOf(condition: string): number {
  switch (condition) {
    case CONDITIONS.unauthorized:
      return 0x87
    case CONDITIONS.notFound:
      return 0x90
    case CONDITIONS.resourceLimit:
      return 0x97
    case CONDITIONS.messageSize:
      return 0x95
    default:
      return 0x80
  }
}
