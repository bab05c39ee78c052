// Connections over the limit: closed at once.
// Rule: one costs a counter's step and nothing that stays; however many come, a line is written once in a while.

import type { Socket } from 'node:net'
import type { Counter, Logger } from '../host.js'

/** Between two lines of the log. */
const QUIET_MS = 10_000

export class Crowd {
  readonly #log: Logger
  readonly #counter: Counter
  #quietUntil = -Infinity
  /** since the last line */
  #refused = 0

  constructor(log: Logger, counter: Counter) {
    this.#log = log
    this.#counter = counter
  }

  /** Ends `socket`: there are `connections` already. `now`: ms of any clock that only goes forward. */
  refuse(socket: Pick<Socket, 'destroy' | 'on'>, connections: number, now = performance.now()): void {
    socket.on('error', () => undefined)
    socket.destroy()
    this.#counter.add(1)
    this.#refused++
    if (now < this.#quietUntil) return
    this.#quietUntil = now + QUIET_MS
    this.#log.warn({ connections, refused: this.#refused }, 'too many MQTT connections: new ones are closed')
    this.#refused = 0
  }
}
