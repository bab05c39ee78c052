// Publications to the client: QoS, packet ids, the window of what is not acknowledged, and what waits for it.
// Rule: everything leaves in the order in which it came [MQTT3-4.6.0-6]; what waits has a bound, past which QoS 0 is dropped and
// counted and a client too slow for QoS 1 is closed. Where the source keeps what is not settled, its window is the bound.

import type { PublishPacket } from '../mqtt/packets.js'
import type { InFlightEntry } from '../messages/in-flight.js'
import { close, NO_ACTIONS } from './actions.js'
import { MAX_PACKET_ID, PacketIds } from './packet-ids.js'
import { Redeliveries, type Redelivery } from './redeliveries.js'
import type { Action, OutboundDelivery, SessionOptions } from './types.js'

/** Memory of a delivery that waits, beside topic and payload, in bytes: so that many small ones have a bound too. */
const OVERHEAD_BYTES = 128

/** A list in the order in which they came. */
interface Waiting {
  readonly delivery: OutboundDelivery
  next: Waiting | undefined
}

/** A publication without its PUBACK. */
export interface Unacknowledged {
  /** OutboundDelivery.id */
  readonly id: string | undefined
  readonly packetId: number
  /** undefined: it has not come on this connection, or ended when it came */
  readonly delivery: OutboundDelivery | undefined
}

/** Publications to one client. */
export class Outbound {
  readonly #options: SessionOptions
  readonly #ids = new PacketIds()
  /** by packet id; undefined: nobody waits for the acknowledgement, so the payload need not be kept */
  #inFlight: Map<number, OutboundDelivery | undefined> | undefined
  #first: Waiting | undefined
  #last: Waiting | undefined
  #waitingBytes = 0
  #congested = false
  #redeliveries: Redeliveries | undefined

  constructor(options: SessionOptions) {
    this.#options = options
  }

  /** Bytes of what waits. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** QoS 1 publications that the client has not acknowledged. */
  get inFlight(): number {
    return this.#inFlight?.size ?? 0
  }

  deliver(delivery: OutboundDelivery): readonly Action[] {
    const redelivery = this.#redelivery(delivery)
    if (redelivery?.written === true) return this.#again(delivery, redelivery.packetId)
    // [MQTT3-4.4.0-1] [MQTT3-4.6.0-1]: before all that is new, whatever the window is now
    if (redelivery !== undefined) return [this.#write(delivery, redelivery.packetId)]
    if (this.#first === undefined && this.#mayWrite(delivery)) {
      const write = this.#write(delivery)
      // at most once: it must not come again when it was written
      return delivery.settle === undefined || qosOf(delivery) > 0 ? [write] : [settled(delivery), write]
    }
    const bytes = bufferedBytesOf(delivery)
    if (bytes > 0 && this.#waitingBytes + bytes > this.#options.bufferedBytes) return dropOrClose(delivery)
    const waiting: Waiting = { delivery, next: undefined }
    if (this.#last === undefined) this.#first = waiting
    else this.#last.next = waiting
    this.#last = waiting
    this.#waitingBytes += bytes
    return NO_ACTIONS
  }

  /** PUBACK; of an id that is not in use: ignored, the client may answer twice. */
  acknowledged(packetId: number): readonly Action[] {
    const delivery = this.#inFlight?.get(packetId)
    if (this.#inFlight?.delete(packetId) !== true) return NO_ACTIONS
    if (this.#first === undefined && delivery === undefined) return NO_ACTIONS
    const actions: Action[] = []
    if (delivery !== undefined) actions.push(settled(delivery))
    this.#flush(actions)
    return actions
  }

  /** What a former connection was sending comes first. */
  restored(inFlight: readonly InFlightEntry[]): readonly Action[] {
    if (inFlight.length === 0) return NO_ACTIONS
    const redeliveries = (this.#redeliveries ??= new Redeliveries())
    for (const entry of inFlight) redeliveries.expect(entry, false)
    return NO_ACTIONS
  }

  /** The source has lost its link: what waits here comes again, and what was sent too. */
  returned(): readonly Action[] {
    const redeliveries = (this.#redeliveries ??= new Redeliveries())
    for (const [packetId, delivery] of this.#inFlight ?? []) {
      if (delivery?.id !== undefined) redeliveries.expect({ id: delivery.id, packetId }, true)
    }
    this.#forgetKept()
    return NO_ACTIONS
  }

  unacknowledged(): readonly Unacknowledged[] {
    const sent = Array.from(this.#inFlight ?? [], ([packetId, delivery]) => ({
      id: delivery?.id,
      packetId,
      delivery
    }))
    const unsent = this.#redeliveries?.unsent() ?? []
    return [...sent, ...unsent.map(entry => ({ ...entry, delivery: undefined }))]
  }

  congested(): readonly Action[] {
    this.#congested = true
    return NO_ACTIONS
  }

  uncongested(): readonly Action[] {
    this.#congested = false
    return this.#proceed()
  }

  /** Limits changed: more may be on its way now. */
  reconfigured(): readonly Action[] {
    return this.#proceed()
  }

  #proceed(): readonly Action[] {
    if (this.#first === undefined) return NO_ACTIONS
    const actions: Action[] = []
    this.#flush(actions)
    return actions
  }

  #mayWrite(delivery: OutboundDelivery): boolean {
    return !this.#congested && (qosOf(delivery) === 0 || this.inFlight < this.#options.receiveMaximum)
  }

  #flush(actions: Action[]): void {
    let waiting = this.#first
    for (; waiting !== undefined && this.#mayWrite(waiting.delivery); waiting = waiting.next) {
      const { delivery } = waiting
      this.#waitingBytes -= bufferedBytesOf(delivery)
      if (delivery.settle !== undefined && qosOf(delivery) === 0) actions.push(settled(delivery))
      actions.push(this.#write(delivery))
    }
    this.#first = waiting
    if (waiting === undefined) this.#last = undefined
  }

  #redelivery({ id, publication }: OutboundDelivery): Redelivery | undefined {
    if (this.#redeliveries === undefined) return undefined
    const redelivery = this.#redeliveries.take(id, publication.dup)
    if (this.#redeliveries.size === 0) this.#redeliveries = undefined
    return redelivery
  }

  /** It was sent before its link was lost, and is not sent again: it is acknowledged, or will be. */
  #again(delivery: OutboundDelivery, packetId: number): readonly Action[] {
    if (this.#inFlight?.get(packetId)?.id !== delivery.id) return [settled(delivery)]
    this.#inFlight?.set(packetId, delivery)
    return NO_ACTIONS
  }

  /** What waits here is still kept by its source. */
  #forgetKept(): void {
    let waiting = this.#first
    this.#first = this.#last = undefined
    for (; waiting !== undefined; waiting = waiting.next) {
      if (waiting.delivery.settle !== undefined) continue
      const kept: Waiting = { delivery: waiting.delivery, next: undefined }
      if (this.#last === undefined) this.#first = kept
      else this.#last.next = kept
      this.#last = kept
    }
  }

  /** `again`: the packet id that it was sent with before. */
  #write(delivery: OutboundDelivery, again?: number): Action {
    const { publication } = delivery
    const qos = again === undefined ? qosOf(delivery) : 1
    const packetId = qos === 0 ? undefined : this.#takeId(delivery, again)
    const packet: PublishPacket = {
      cmd: 'publish',
      topic: publication.topic,
      payload: publication.payload,
      qos,
      retain: publication.retained === true, // [MQTT3-3.3.1-8] [MQTT3-3.3.1-9]
      dup: qos > 0 && (publication.dup || again !== undefined), // [MQTT3-3.3.1-1] [MQTT3-3.3.1-2]
      packetId
    }
    return { type: 'write', packet, publication }
  }

  /** Ids of what is on its way, and those that are kept for what is expected. */
  #usedIds(inFlight: ReadonlyMap<number, unknown>): { has(packetId: number): boolean } {
    const expected = this.#redeliveries
    if (expected === undefined) return inFlight
    if (inFlight.size + expected.size >= MAX_PACKET_ID) {
      this.#redeliveries = undefined // there would be no id left
      return inFlight
    }
    return { has: packetId => inFlight.has(packetId) || expected.has(packetId) }
  }

  #takeId(delivery: OutboundDelivery, again: number | undefined): number {
    const inFlight = (this.#inFlight ??= new Map<number, OutboundDelivery | undefined>())
    const packetId = again ?? this.#ids.next(this.#usedIds(inFlight))
    inFlight.set(packetId, delivery.settle === undefined ? undefined : delivery)
    return packetId
  }
}

/** The lower of the publication's and the granted QoS [MQTT3-3.8.4-6]; QoS 2 is not granted yet. */
function qosOf(delivery: OutboundDelivery): 0 | 1 {
  return delivery.publication.qos === 0 || delivery.grantedQos === 0 ? 0 : 1
}

function settled(delivery: OutboundDelivery): Action {
  return { type: 'settle', delivery, outcome: 'accepted' }
}

/** What its source keeps costs nothing here: the source's window is its bound. */
function bufferedBytesOf({ settle, size }: OutboundDelivery): number {
  return settle === undefined ? size + OVERHEAD_BYTES : 0
}

function dropOrClose(delivery: OutboundDelivery): readonly Action[] {
  if (qosOf(delivery) > 0) return close('slowConsumer', 'more waits than may be buffered')
  return [{ type: 'dropped', qos: 0 }]
}
