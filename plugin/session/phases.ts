// What may come when: the phases of a client's connection as a table.
// Rule: a packet or event that is not in the table is never handled; a new packet is a new entry here.

import type { InboundPacket } from '../mqtt/packets.js'
import type { SessionEvent } from './types.js'

/** What a session is given: a packet by its command, anything else by its type. */
export type Input = InboundPacket['cmd'] | Exclude<SessionEvent['type'], 'packet'>

interface PhaseRow {
  readonly accepts: readonly Input[]
  readonly next: readonly string[]
}

const ALWAYS = [
  'timeout',
  'end',
  'disconnected',
  'paused',
  'resumed',
  'reconfigured'
] as const satisfies readonly Input[]

/** `new`: the socket is open. `opening`: CONNECT came and host and service are asked. `connected`: CONNACK 0 was written. */
export const PHASES = {
  new: {
    accepts: ['connect', 'malformed', ...ALWAYS],
    next: ['opening', 'closed']
  },
  opening: {
    accepts: ['opened', 'refused', ...ALWAYS],
    next: ['connected', 'closed']
  },
  connected: {
    accepts: [
      'publish',
      'puback',
      'subscribe',
      'unsubscribe',
      'pingreq',
      'disconnect',
      'malformed',
      'outcome',
      'answered',
      'unanswered',
      'delivery',
      'restored',
      'returned',
      'congested',
      'uncongested',
      ...ALWAYS
    ],
    next: ['closed']
  },
  /** Whatever comes now came too late, and is dropped. */
  closed: { accepts: [], next: [] }
} as const satisfies Record<string, PhaseRow>

export type Phase = keyof typeof PHASES

const ACCEPTED: Readonly<Record<Phase, ReadonlySet<Input>>> = {
  new: new Set(PHASES.new.accepts),
  opening: new Set(PHASES.opening.accepts),
  connected: new Set(PHASES.connected.accepts),
  closed: new Set(PHASES.closed.accepts)
}

/** The input may come in this phase. */
export function accepts(phase: Phase, input: Input): boolean {
  return ACCEPTED[phase].has(input)
}

/** `to`, when it may follow `from`; anything else is a bug and throws. */
export function follow(from: Phase, to: Phase): Phase {
  const next: readonly string[] = PHASES[from].next
  if (!next.includes(to)) throw new Error(`a session cannot go from ${from} to ${to}`)
  return to
}
