// Bytes of a client's messages that a connection holds: those that are not complete, and those that have no outcome yet.
// Rule: incomplete ones over the limit end the connection, since only the client could complete them; with unsettled ones over it
// nothing is read until half of them are settled.

import { AmqpError } from '../../plugin/errors.js'

export interface HeldBytesHandlers {
  readonly onFull: () => void
  readonly onRoom: () => void
}

export class HeldBytes {
  readonly #limit: number
  readonly #handlers: HeldBytesHandlers
  #partial = 0
  #unsettled = 0
  #full = false

  /** `limit`: for each of the two kinds. */
  constructor(limit: number, handlers: HeldBytesHandlers) {
    this.#limit = limit
    this.#handlers = handlers
  }

  /** Unsettled messages are over the limit, or were and have not gone down far enough. */
  get full(): boolean {
    return this.#full
  }

  /** Throws AmqpError `amqp:resource-limit-exceeded`. */
  addPartial(bytes: number): void {
    this.#partial += bytes
    if (this.#partial <= this.#limit) return
    throw new AmqpError(
      'amqp:resource-limit-exceeded',
      `more than ${this.#limit} bytes of incomplete messages`
    )
  }

  removePartial(bytes: number): void {
    this.#partial -= bytes
  }

  addUnsettled(bytes: number): void {
    this.#unsettled += bytes
    if (this.#full || this.#unsettled <= this.#limit) return
    this.#full = true
    this.#handlers.onFull()
  }

  removeUnsettled(bytes: number): void {
    this.#unsettled -= bytes
    if (!this.#full || this.#unsettled > this.#limit / 2) return
    this.#full = false
    this.#handlers.onRoom()
  }
}
