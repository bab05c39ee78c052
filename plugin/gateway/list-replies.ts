// Who waits for AMQP_SUBSCRIPTIONS: the clients of this gateway whose AMQP_LIST is under way.
// Rule: a reply goes to the connection that it names; one that names none, as an original service's, to the client.

import type { decodeSubscriptions } from '../messages/subscriptions.js'

export type ListReply = NonNullable<ReturnType<typeof decodeSubscriptions>>

interface Waiting {
  readonly clientId: string
  readonly resolve: (reply: ListReply) => void
}

export class ListReplies {
  /** by connection */
  readonly #waiting = new Map<string, Waiting>()

  /** Resolves when the reply comes. Whoever asks forgets it in the end. */
  expect(clientId: string, connection: string): Promise<ListReply> {
    return new Promise(resolve => this.#waiting.set(connection, { clientId, resolve }))
  }

  forget(connection: string): void {
    this.#waiting.delete(connection)
  }

  /** Nothing happens if nobody waits for it. */
  came(reply: ListReply): void {
    const { clientId, connection } = reply
    for (const [key, waiting] of connection === undefined ? this.#waiting : this.#named(connection)) {
      if (waiting.clientId !== clientId) continue
      this.#waiting.delete(key)
      waiting.resolve(reply)
    }
  }

  #named(connection: string): readonly (readonly [string, Waiting])[] {
    const waiting = this.#waiting.get(connection)
    return waiting === undefined ? [] : [[connection, waiting]]
  }
}
