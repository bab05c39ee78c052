// SUBSCRIBE and UNSUBSCRIBE on their way to the service, and their answers.
// Rule: one code per requested entry, in the order of the request, and none claims a route that the service did not make.

import type { BridgeError } from '../errors.js'
import type { Qos, SubscribePacket, UnsubscribePacket } from '../mqtt/packets.js'
import { isValidTopicFilter } from '../mqtt/topic.js'
import { close, closeWarned } from './actions.js'
import { findFilterFault, shown } from './topic-rules.js'
import type { Action, RequestedFilter, SessionOptions, Token } from './types.js'

/** SUBACK of a filter that was refused; of an UNSUBSCRIBE from here on. */
const FAILURE = 0x80

/** The highest QoS that is granted. */
const MAX_QOS = 1

interface PendingSubscribe {
  readonly cmd: 'subscribe'
  readonly packetId: number
  /** per entry of the packet: the place of its filter in what the service was asked, -1: refused at once */
  readonly places: readonly number[]
  readonly filters: readonly RequestedFilter[]
}

interface PendingUnsubscribe {
  readonly cmd: 'unsubscribe'
  readonly packetId: number
  readonly filters: readonly string[]
}

/** Requests of one client that the service has not answered. */
export class Subscriptions {
  readonly #options: SessionOptions
  #pending: Map<Token, PendingSubscribe | PendingUnsubscribe> | undefined

  constructor(options: SessionOptions) {
    this.#options = options
  }

  /** SUBSCRIBEs and UNSUBSCRIBEs that wait for their answer. */
  get size(): number {
    return this.#pending?.size ?? 0
  }

  subscribe(packet: SubscribePacket, token: Token): readonly Action[] {
    const invalid = packet.filters.find(({ filter }) => !isValidTopicFilter(filter))
    if (invalid !== undefined) return closeInvalid(invalid.filter)
    const { packetId } = packet
    const wanted = new Map<string, { readonly place: number; qos: Qos }>()
    const warnings: Action[] = []
    const places = packet.filters.map(({ filter, qos }) => {
      const fault = findFilterFault(filter, this.#options)
      if (fault !== undefined) {
        warnings.push(refused(filter, fault))
        return -1
      }
      const granted = qos > MAX_QOS ? MAX_QOS : qos // [MQTT3-3.8.4-6]
      const known = wanted.get(filter)
      if (known === undefined) wanted.set(filter, { place: wanted.size, qos: granted })
      else known.qos = granted // [MQTT3-3.8.4-4]: as a sequence of SUBSCRIBEs, so the last wins
      return known?.place ?? wanted.size - 1
    })
    if (wanted.size === 0) return [...warnings, suback(packetId, places, [])]
    const filters = Array.from(wanted, ([filter, { qos }]): RequestedFilter => ({ filter, qos }))
    this.#wait(token, { cmd: 'subscribe', packetId, places, filters })
    return [...warnings, { type: 'subscribe', token, packetId, filters }]
  }

  unsubscribe(packet: UnsubscribePacket, token: Token): readonly Action[] {
    const invalid = packet.filters.find(filter => !isValidTopicFilter(filter))
    if (invalid !== undefined) return closeInvalid(invalid)
    const { packetId } = packet
    // What may not be subscribed to is not there; a filter twice is gone after the first.
    const allowed = packet.filters.filter(filter => findFilterFault(filter, this.#options) === undefined)
    const filters = [...new Set(allowed)]
    if (filters.length === 0) return [unsuback(packetId)] // [MQTT3-3.10.4-5]
    this.#wait(token, { cmd: 'unsubscribe', packetId, filters })
    return [{ type: 'unsubscribe', token, packetId, filters }]
  }

  /** The service's codes, one per filter that it was asked for. Throws where it was asked nothing, or for other filters. */
  answered(token: Token, codes: readonly number[]): readonly Action[] {
    const request = this.#take(token)
    if (codes.length !== request.filters.length) {
      throw new Error(`${codes.length} codes for ${request.filters.length} filters`)
    }
    if (request.cmd === 'subscribe') {
      const granted = request.filters.map(({ qos }, place) => grant(qos, codes[place]))
      return [suback(request.packetId, request.places, granted)]
    }
    const failed = codes.findIndex(code => code >= FAILURE)
    if (failed === -1) return [unsuback(request.packetId)]
    return close('unsubscribeRejected', `reason 0x${codes[failed]?.toString(16)}`)
  }

  /** The service could not be asked, or refused the whole. */
  unanswered(token: Token, error: BridgeError): readonly Action[] {
    const request = this.#take(token)
    if (request.cmd === 'unsubscribe') return close('unsubscribeRejected', error.message)
    const fields = { filters: request.filters.length, reason: error.message }
    return [
      { type: 'warn', message: 'a SUBSCRIBE was refused', fields },
      suback(request.packetId, request.places, [])
    ]
  }

  #wait(token: Token, request: PendingSubscribe | PendingUnsubscribe): void {
    this.#pending ??= new Map<Token, PendingSubscribe | PendingUnsubscribe>()
    this.#pending.set(token, request)
  }

  #take(token: Token): PendingSubscribe | PendingUnsubscribe {
    const request = this.#pending?.get(token)
    if (request === undefined) throw new Error(`no request waits for token ${token}`)
    this.#pending?.delete(token)
    return request
  }
}

/** 3.1 and 3.1.1 know one code for all failures [MQTT3-3.9.3-2]. */
function grant(requested: Qos, code: number | undefined): number {
  if (code === undefined || code >= FAILURE) return FAILURE
  return Math.min(requested, code)
}

/** `granted`: codes of what the service was asked; what it did not answer failed. [MQTT3-3.8.4-5] [MQTT3-3.9.3-1] */
function suback(packetId: number, places: readonly number[], granted: readonly number[]): Action {
  const codes = places.map(place => granted[place] ?? FAILURE)
  return { type: 'write', packet: { cmd: 'suback', packetId, codes } }
}

function unsuback(packetId: number): Action {
  return { type: 'write', packet: { cmd: 'unsuback', packetId } }
}

function refused(filter: string, rule: string): Action {
  return { type: 'warn', message: 'a filter was refused', fields: { filter: shown(filter), rule } }
}

function closeInvalid(filter: string): readonly Action[] {
  return closeWarned('topicFilterInvalid', 'no topic filter', { filter: shown(filter) })
}
