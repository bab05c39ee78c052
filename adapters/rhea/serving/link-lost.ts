// How the end of a link is passed on by whoever has it in between.
// Rule: a client that vanished is not taken for one that detached: a will depends on it.

import type { LinkClosed, LinkError } from '../../../plugin/host.js'

/** Ends the link of a client that vanished. */
export const LINK_LOST: LinkError = {
  condition: 'mqtt-over-amqp:link-lost',
  description: 'the client is gone'
}

/** How a link ended that its client's side closes with `error`. */
export function closedBy(error: LinkError | undefined): LinkClosed {
  if (error === undefined) return { cause: 'clean' }
  return error.condition === LINK_LOST.condition ? { cause: 'lost' } : { cause: 'error', error }
}
