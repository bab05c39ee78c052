// Publications to the client: QoS, packet ids, the window of what is not acknowledged, and what waits for it.
// Rule: everything leaves in the order in which it came; what waits has a bound, past which QoS 0 is dropped and counted
// and a client too slow for QoS 1 is closed.

import type { PublishPacket } from '../mqtt/packets.js'
import { close, NO_ACTIONS } from './actions.js'
import { PacketIds } from './packet-ids.js'
import type { Action, OutboundDelivery, SessionOptions } from './types.js'

/** Memory of a delivery that waits, beside topic and payload, in bytes: so that many small ones have a bound too. */
const OVERHEAD_BYTES = 128

/** A list in the order in which they came. */
interface Waiting {
  readonly delivery: OutboundDelivery
  next: Waiting | undefined
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
    if (this.#first === undefined && this.#mayWrite(delivery)) {
      const write = this.#write(delivery)
      return delivery.settle === undefined || qosOf(delivery) > 0 ? [write] : [write, settled(delivery)]
    }
    const bytes = delivery.size + OVERHEAD_BYTES
    if (this.#waitingBytes + bytes > this.#options.bufferedBytes) return dropOrClose(delivery)
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
      this.#waitingBytes -= delivery.size + OVERHEAD_BYTES
      actions.push(this.#write(delivery))
      if (delivery.settle !== undefined && qosOf(delivery) === 0) actions.push(settled(delivery))
    }
    this.#first = waiting
    if (waiting === undefined) this.#last = undefined
  }

  #write(delivery: OutboundDelivery): Action {
    const { publication } = delivery
    const qos = qosOf(delivery)
    const packetId = qos === 0 ? undefined : this.#takeId(delivery)
    const packet: PublishPacket = {
      cmd: 'publish',
      topic: publication.topic,
      payload: publication.payload,
      qos,
      retain: publication.retained === true, // [MQTT3-3.3.1-8] [MQTT3-3.3.1-9]
      dup: qos > 0 && publication.dup, // [MQTT3-3.3.1-2]
      packetId
    }
    return { type: 'write', packet, publication }
  }

  #takeId(delivery: OutboundDelivery): number {
    const inFlight = (this.#inFlight ??= new Map<number, OutboundDelivery | undefined>())
    const packetId = this.#ids.next(inFlight)
    inFlight.set(packetId, delivery.settle === undefined ? undefined : delivery)
    return packetId
  }
}

/** The lower of the publication's and the granted QoS [MQTT3-3.8.4-6]; QoS 2 is not granted yet. */
function qosOf(delivery: OutboundDelivery): 0 | 1 {
  return delivery.publication.qos === 0 || delivery.grantedQos === 0 ? 0 : 1
}

function settled(delivery: OutboundDelivery): Action {
  return { type: 'settle', delivery, accepted: true }
}

function dropOrClose(delivery: OutboundDelivery): readonly Action[] {
  if (qosOf(delivery) > 0) return close('slowConsumer', 'more waits than may be buffered')
  const dropped: Action = { type: 'dropped', qos: 0 }
  return delivery.settle === undefined ? [dropped] : [dropped, settled(delivery)]
}
