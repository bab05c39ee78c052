// What a session sends: transfers in the order they were handed over, as far as the client's window goes, and what is not settled.
// It takes the place of rhea's own queue. Rule: a delivery gets its id when its first frame goes out, so what has not gone out can still
// be dropped; ids wrap at 2^32 as serial numbers do; nothing is kept of a delivery's bytes once they are written. (rhea's queue stalls
// behind one unsettled delivery, counts past 2^32, and costs three times as much.)

import type { Outcome } from '../../plugin/host.js'
import type { Field, RheaLink } from './rhea.js'
import { serialRange } from './serial-range.js'
import { CODE } from './typecodes.js'

/** Deliveries without an outcome in one session. */
const MAX_UNSETTLED = 8192
/** Payloads up to this are copied behind their header, so that a transfer is one buffer. */
const COPY_BYTES = 16 * 1024
const TRANSFER = 0x14
const DISPOSITION = 0x15
const TAG_BYTES = 4
const FRAME_HEADER_BYTES = 8
/** A transfer without its payload has no more: frame header, descriptor, list, and six fields. */
const TRANSFER_BYTES = FRAME_HEADER_BYTES + 6 + 5 + 5 + 2 + TAG_BYTES + 3

export interface OutgoingDelivery {
  readonly link: RheaLink
  readonly settled: boolean
  /** Takes the outcome; not with settled. */
  readonly onOutcome: (outcome: Outcome) => void
  /** at most 32 bytes; undefined: the delivery's id */
  readonly tag?: Buffer | undefined
}

interface Pending {
  readonly delivery: OutgoingDelivery
  readonly bytes: Buffer
  /** bytes that have gone out */
  offset: number
  id: number
}

export interface OutgoingOptions {
  readonly channel: number
  /** bytes; undefined: any */
  readonly maxFrameSize: number | undefined
  /** frames that the client takes */
  readonly window: number
  /** of transfers and of deliveries: where a session starts is its own affair */
  readonly firstId: number
  readonly write: (bytes: Buffer) => void
}

export class OutgoingTransfers {
  // rhea's session reads these
  readonly deliveries = { available: () => 1 }
  readonly window = 0xffffffff
  next_transfer_id: number

  readonly #options: OutgoingOptions
  readonly #maxPayload: number
  readonly #unsettled = new Map<number, OutgoingDelivery>()
  /** ids that the client has an outcome for, and waits for us to settle */
  #settling: number[] = []
  #pending: Pending[] = []
  #nextDeliveryId: number
  #remoteWindow: number

  constructor(options: OutgoingOptions) {
    this.#options = options
    this.#remoteWindow = options.window
    this.next_transfer_id = this.#nextDeliveryId = options.firstId
    this.#maxPayload = (options.maxFrameSize ?? Infinity) - TRANSFER_BYTES
  }

  /** Deliveries that can be handed over now. */
  get places(): number {
    const places = Math.min(MAX_UNSETTLED - this.#unsettled.size, this.#remoteWindow)
    return Math.max(0, places - this.#pending.length)
  }

  /** Goes out with the session's next turn. */
  push(delivery: OutgoingDelivery, bytes: Buffer): void {
    this.#pending.push({ delivery, bytes, offset: 0, id: 0 })
  }

  /** A flow came: the client has seen transfers up to `nextIncomingId` (none yet: nothing), and takes `window` more. */
  flow(nextIncomingId: Field<number>, window: Field<number>): void {
    const unseen = (this.next_transfer_id - (nextIncomingId ?? this.#options.firstId)) >>> 0
    this.#remoteWindow = Math.max(0, (window ?? 0) - unseen) // a count ahead of ours leaves none
  }

  /** The unsettled deliveries from id `first` to `last`, as serial numbers. */
  range(first: number, last: number): Generator<readonly [number, OutgoingDelivery]> {
    return serialRange(this.#unsettled, first, last)
  }

  /** Forgets a delivery whose outcome is known. `tell`: the client waits for it to be settled. */
  settle(id: number, tell: boolean): void {
    if (this.#unsettled.delete(id) && tell) this.#settling.push(id)
  }

  /** The link has ended: nothing more of it goes out, or is waited for. */
  drop(link: RheaLink): void {
    this.#pending = this.#pending.filter(({ delivery }) => delivery.link !== link)
    for (const [id, delivery] of this.#unsettled) if (delivery.link === link) this.#unsettled.delete(id)
  }

  /** Writes what can go out. rhea calls it with each turn of the session. */
  process(): void {
    let sent = 0
    for (const pending of this.#pending) {
      let last = false
      while (this.#remoteWindow > 0 && !last) last = this.#transfer(pending)
      if (!last) break
      sent++
    }
    if (sent > 0) this.#pending = this.#pending.slice(sent)
    if (this.#settling.length > 0) this.#writeDispositions()
  }

  /** Writes one frame; true: it was the delivery's last. */
  #transfer(pending: Pending): boolean {
    const { delivery, bytes, offset } = pending
    const { link, settled } = delivery
    if (offset === 0) {
      pending.id = this.#nextDeliveryId
      this.#nextDeliveryId = (this.#nextDeliveryId + 1) >>> 0
      if (!settled) this.#unsettled.set(pending.id, delivery)
    }
    const end = Math.min(bytes.length, offset + this.#maxPayload - extraOf(delivery))
    const last = end === bytes.length
    this.#write(pending, bytes.subarray(offset, end), last)
    pending.offset = end
    this.next_transfer_id = (this.next_transfer_id + 1) >>> 0
    this.#remoteWindow--
    if (last) {
      link.credit--
      link.delivery_count = (link.delivery_count + 1) >>> 0
    }
    return last
  }

  #write({ id, delivery }: Pending, payload: Buffer, last: boolean): void {
    const { link, settled } = delivery
    const copied = payload.length <= COPY_BYTES
    const size = TRANSFER_BYTES + extraOf(delivery) + (copied ? payload.length : 0)
    const frame = Buffer.allocUnsafe(size)
    let at = startFrame(frame, this.#options.channel, TRANSFER, 6)
    at = writeUint(frame, link.local.handle, at)
    at = writeUint(frame, id, at)
    frame[at++] = CODE.bin8
    frame[at++] = delivery.tag?.length ?? TAG_BYTES
    if (delivery.tag === undefined) at = frame.writeUInt32BE(id, at)
    else at += delivery.tag.copy(frame, at)
    frame[at++] = CODE.uint0 // message format
    frame[at++] = settled ? CODE.true : CODE.false
    frame[at++] = last ? CODE.false : CODE.true // more
    frame[FRAME_HEADER_BYTES + 4] = at - FRAME_HEADER_BYTES - 5
    frame.writeUInt32BE(at + payload.length, 0)
    if (copied) {
      frame.set(payload, at)
      this.#options.write(frame.subarray(0, at + payload.length))
    } else {
      this.#options.write(frame.subarray(0, at))
      this.#options.write(payload)
    }
  }

  /** Neighbours share a frame. */
  #writeDispositions(): void {
    const ids = this.#settling
    this.#settling = []
    for (let i = 0; i < ids.length;) {
      const first = ids[i] ?? 0
      let last = first
      while (++i < ids.length && ids[i] === (last + 1) >>> 0) last = (last + 1) >>> 0
      const frame = Buffer.allocUnsafe(TRANSFER_BYTES)
      let at = startFrame(frame, this.#options.channel, DISPOSITION, 4)
      frame[at++] = CODE.false // role: sender
      at = writeUint(frame, first, at)
      at = writeUint(frame, last, at)
      frame[at++] = CODE.true // settled
      frame[FRAME_HEADER_BYTES + 4] = at - FRAME_HEADER_BYTES - 5
      frame.writeUInt32BE(at, 0)
      this.#options.write(frame.subarray(0, at))
    }
  }
}

/** Bytes of a tag beyond those that every transfer has room for. */
function extraOf({ tag }: OutgoingDelivery): number {
  return tag === undefined ? 0 : tag.length - TAG_BYTES
}

/** All but the frame's and the list's sizes; where the first field goes. */
function startFrame(frame: Buffer, channel: number, descriptor: number, fields: number): number {
  frame[4] = 2 // data offset, in words
  frame[5] = 0 // AMQP
  frame.writeUInt16BE(channel, 6)
  frame[8] = CODE.described
  frame[9] = CODE.smallUlong
  frame[10] = descriptor
  frame[11] = CODE.list8
  frame[13] = fields
  return FRAME_HEADER_BYTES + 6
}

function writeUint(frame: Buffer, value: number, at: number): number {
  if (value > 0xff) {
    frame[at] = CODE.uint
    return frame.writeUInt32BE(value, at + 1)
  }
  frame[at] = CODE.smallUint
  frame[at + 1] = value
  return at + 2
}
