// What a client's open may ask of us.
// Rule: whatever would make each frame or each moment cost too much is refused before a session begins.

import { AmqpError } from '../../plugin/errors.js'
import type { RheaFrame, RheaOpen } from './rhea.js'

/** AMQP's least max-frame-size, bytes */
const MIN_MAX_FRAME_SIZE = 512
/** A client that wants heartbeats more often is refused, ms. */
const MIN_IDLE_TIME_OUT_MS = 100

/** Throws AmqpError. */
export function checkOpen({ performative }: RheaFrame<RheaOpen>): void {
  const { max_frame_size, idle_time_out } = performative
  if (typeof max_frame_size === 'number' && max_frame_size < MIN_MAX_FRAME_SIZE) {
    throw new AmqpError('amqp:invalid-field', `max-frame-size is less than ${MIN_MAX_FRAME_SIZE}`)
  }
  if (typeof idle_time_out === 'number' && idle_time_out > 0 && idle_time_out < MIN_IDLE_TIME_OUT_MS) {
    throw new AmqpError('amqp:not-allowed', `idle-time-out is less than ${MIN_IDLE_TIME_OUT_MS} ms`)
  }
}
