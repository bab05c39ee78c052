// PUBLISH from the client to the host, and the PUBACKs for it.
// Rule: nothing is acknowledged before the host accepted it, and PUBACKs come in the order of the PUBLISHes whatever the
// order of the outcomes [MQTT3-4.3.2-2] [MQTT3-4.6.0-2].

import type { PublishPacket } from '../mqtt/packets.js'
import type { Publication } from '../messages/publication.js'
import { close, closeWarned, NO_ACTIONS } from './actions.js'
import { findNameFault, shown } from './topic-rules.js'
import type { Action, PublishResult, SessionOptions, Token } from './types.js'

/** MQTT 5.0 reason code. */
const NOT_AUTHORIZED = 0x87

/** A QoS 1 PUBLISH without its PUBACK; a list in the order in which they came. */
interface InFlight {
  readonly packetId: number
  readonly token: Token
  /** undefined: the host accepted it, and those before it are waited for */
  publication: Publication | undefined
  sends: number
  next: InFlight | undefined
}

/** Publications of one client on their way to the host. */
export class Inbound {
  readonly #options: SessionOptions
  readonly #clientId: string
  #first: InFlight | undefined
  #last: InFlight | undefined
  #size = 0
  /** the last one that was found good: most clients publish to few */
  #topic = ''

  constructor(options: SessionOptions, clientId: string) {
    this.#options = options
    this.#clientId = clientId
  }

  /** PUBLISHes that wait for their PUBACK. */
  get size(): number {
    return this.#size
  }

  /** Limits changed: a topic that was good is looked at again. */
  reconfigured(): void {
    this.#topic = ''
  }

  publish(packet: PublishPacket, token: Token): readonly Action[] {
    const { topic, payload, qos, retain, dup, packetId } = packet
    if (topic !== this.#topic || topic === '') {
      const fault = findNameFault(topic, this.#options)
      if (fault !== undefined) return closeWarned('topicNameInvalid', fault, { topic: shown(topic) })
      this.#topic = topic
    }
    if (qos === 2) return this.#refuseFeature('QoS 2')
    const clientId = this.#clientId
    const uid = this.#options.makeUid()
    if (packetId === undefined) {
      const publication: Publication = { topic, payload, qos, retain, dup, uid, clientId }
      return [{ type: 'send', token, publication }]
    }
    // One answer is enough: a second PUBACK could be taken for that of the id's next PUBLISH.
    if (dup && this.#isInFlight(packetId)) return NO_ACTIONS
    const publication: Publication = { topic, payload, qos, retain, dup, packetId, uid, clientId }
    this.#append({ packetId, token, publication, sends: 1, next: undefined })
    return [{ type: 'send', token, publication }]
  }

  /** What the host made of a `send`; tokens of QoS 0 are not kept and change nothing. */
  outcome(token: Token, result: PublishResult): readonly Action[] {
    let entry = this.#first
    while (entry !== undefined && entry.token !== token) entry = entry.next
    if (entry?.publication === undefined) return NO_ACTIONS
    switch (result.type) {
      case 'accepted':
        entry.publication = undefined
        return entry === this.#first ? this.#acknowledge() : NO_ACTIONS
      case 'failed':
        if (entry.sends > this.#options.publishRetries) {
          return close('publishRejected', `not taken after ${entry.sends} times`)
        }
        entry.sends++
        return [{ type: 'send', token, publication: entry.publication }]
      case 'rejected':
        // [MQTT3-3.3.5-2]: no other way to tell
        return close(
          result.reason === NOT_AUTHORIZED ? 'notAuthorized' : 'publishRejected',
          result.description
        )
      default:
        return result satisfies never
    }
  }

  #append(entry: InFlight): void {
    if (this.#last === undefined) this.#first = entry
    else this.#last.next = entry
    this.#last = entry
    this.#size++
  }

  /** PUBACKs up to the first publication that the host has not accepted. */
  #acknowledge(): readonly Action[] {
    const actions: Action[] = []
    let entry = this.#first
    for (; entry !== undefined && entry.publication === undefined; entry = entry.next) {
      actions.push({ type: 'write', packet: { cmd: 'puback', packetId: entry.packetId } })
    }
    this.#first = entry
    if (entry === undefined) this.#last = undefined
    this.#size -= actions.length
    return actions
  }

  #isInFlight(packetId: number): boolean {
    for (let entry = this.#first; entry !== undefined; entry = entry.next) {
      if (entry.packetId === packetId) return true
    }
    return false
  }

  #refuseFeature(feature: string): readonly Action[] {
    const fields = { clientId: this.#clientId, feature }
    const warn: Action = { type: 'warn', message: 'a client asked for what is not there', fields }
    return [warn, ...close('notSupported', feature)]
  }
}
