// Orders to end a connection whose client has come back over another one, and their answers.
// Rule: only the answer of whoever had the connection says that it is gone; what a queue on the way accepted says nothing. Nobody
// at the address: gone. No answer in time: the caller goes on without it.

import { FAILURES } from '../errors.js'
import type { AmqpConnection, Logger } from '../host.js'
import { encodeDisconnect } from '../messages/orders.js'
import { Outbox } from '../outbox.js'

/** `stopped`: the service stops, and nothing is known. */
export type Ended = 'answered' | 'absent' | 'late' | 'stopped'

export interface Held {
  readonly clientId: string
  readonly connection: string
  /** where its orders go */
  readonly control: string
}

interface Waiting {
  readonly connection: string
  readonly finish: (ended: Ended) => void
}

export class Takeovers {
  readonly #connection: AmqpConnection
  readonly #log: Logger
  readonly #timeoutMs: () => number
  /** by client id: in its turn one connection is ended at a time; other clients may have named theirs alike */
  readonly #waiting = new Map<string, Waiting>()
  #stopped = false

  constructor(connection: AmqpConnection, log: Logger, timeoutMs: () => number) {
    this.#connection = connection
    this.#log = log
    this.#timeoutMs = timeoutMs
  }

  /** Has `held` ended. Never rejects. */
  async end({ clientId, connection, control }: Held): Promise<Ended> {
    if (this.#stopped) return 'stopped'
    const timeoutMs = this.#timeoutMs()
    const outbox = new Outbox(this.#connection, control)
    const { reason } = FAILURES.sessionTakenOver
    const ended = await new Promise<Ended>(resolve => {
      const timer = setTimeout(resolve, timeoutMs, 'late')
      const finish = (how: Ended): void => {
        clearTimeout(timer)
        resolve(how)
      }
      this.#waiting.set(clientId, { connection, finish })
      void outbox
        .send(encodeDisconnect(control, { clientId, connection, reason }), timeoutMs)
        .then(outcome => {
          if (outcome.type !== 'accepted') finish('absent')
        })
    })
    this.#waiting.delete(clientId)
    outbox
      .close()
      .catch((error: unknown) =>
        this.#log.debug({ control, err: error }, 'a link to a control address was not closed')
      )
    return ended
  }

  /** The answer came. Nothing happens if nobody waits for it. */
  answered(clientId: string, connection: string | undefined): void {
    const waiting = this.#waiting.get(clientId)
    if (waiting?.connection === connection) waiting?.finish('answered')
  }

  /** Ends all waits, and begins none. */
  stop(): void {
    this.#stopped = true
    for (const { finish } of this.#waiting.values()) finish('stopped')
  }
}
