// How what we received is settled.
// Rule: only deliveries with one and the same state wait together for the session's turn. (rhea joins the first two that wait into one
// frame without a look at their states: the second would get the outcome of the first.)

import type { RheaIncomingDelivery, RheaSession, RheaTyped } from './rhea.js'

/** Tells the sender the delivery's state, with the session's next turn. */
export function tellState(
  session: RheaSession,
  delivery: RheaIncomingDelivery,
  settled: boolean,
  state: RheaTyped
): void {
  const { incoming } = session
  const last = incoming.updated.at(-1)
  if (last !== undefined && last.state !== state) incoming.process(session)
  incoming.update(delivery, settled, state)
}
