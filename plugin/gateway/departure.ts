// How a client leaves when the gateway wants it to: what it has said is answered first.
// Rule: nothing is read that is not taken, and nothing that was taken is left without its answer, unless somebody cuts it short.

import type { BridgeError } from '../errors.js'
import type { ClientSocket } from './client-socket.js'

export interface DepartingClient {
  readonly socket: ClientSocket
  /** the next packet would be taken */
  readonly mayRead: () => boolean
  /** answers that the client waits for */
  readonly unanswered: () => number
  readonly pump: () => void
  readonly end: (error: BridgeError) => void
}

export class Departure {
  readonly #client: DepartingClient
  /** ends when what was taken is answered; `rest`: what came and was not taken yet is still taken */
  #drain: { readonly error: BridgeError; readonly rest: boolean } | undefined
  /** drained when what the socket holds was read */
  #leaving: BridgeError | undefined

  constructor(client: DepartingClient) {
    this.#client = client
  }

  /** More is read. */
  get reads(): boolean {
    return this.#drain === undefined
  }

  /** Of what was read, more is taken. */
  get takes(): boolean {
    return this.#drain === undefined || this.#drain.rest
  }

  /** Reads no more; ends with `error` when what was taken is answered. */
  drain(error: BridgeError, rest = false): void {
    this.#drain = { error, rest }
    this.#client.socket.setReading(false)
    this.#client.pump()
  }

  /** Reads what the socket holds now; ends with `error` when that is answered. */
  leave(error: BridgeError): void {
    this.#leaving = error
    this.#readHeld()
  }

  /** Something was taken or answered, or the client may be read again. */
  check(): void {
    this.#readHeld()
    if (this.#drain === undefined || this.#client.unanswered() > 0) return
    // where it may read, it has taken all there is
    if (this.#drain.rest && !this.#client.mayRead()) return
    this.#client.end(this.#drain.error)
  }

  /** While the host stops the client its socket is not read; check comes when it goes on. */
  #readHeld(): void {
    const error = this.#leaving
    if (error === undefined || !this.#client.mayRead()) return
    this.#leaving = undefined
    this.#client.socket.afterHeld(() => {
      if (this.#client.mayRead()) this.drain(error, true)
      else this.#leaving = error
    })
  }
}
