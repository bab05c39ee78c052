// Requests to the broker's `$management` node, and their answers.
// Rule: an answer is the data sections that the broker says, or fails with the error that it says.

import type { AmqpError } from '../../plugin/errors.js'
import type { AmqpConnection } from '../../plugin/host.js'
import {
  makeRequest,
  MANAGEMENT,
  readJson,
  readReply,
  type Operation
} from '../embedded/management-protocol.js'
import type { ChannelHandlers, ChannelLinks } from '../rhea/request-channel.js'
import { RequestClient } from '../rhea/request-client.js'

type Args = Readonly<Record<string, string | number | undefined>>

/** Answers that may be on their way at once. */
const WINDOW = 200

export interface ManagementClientOptions {
  readonly connect: () => Promise<AmqpConnection>
  /** The connection that was there is gone. */
  readonly onGone: (error: AmqpError) => void
  /** There is one again. */
  readonly onBack: () => void
}

export class ManagementClient {
  readonly #requests: RequestClient

  constructor(options: ManagementClientOptions) {
    this.#requests = new RequestClient({ ...options, attach })
  }

  /** Opens no other connection; that which is open is the host's to close. */
  close(): void {
    this.#requests.close()
  }

  /** Data sections of the answer. Rejects with the AmqpError that the broker answers, and when the connection is lost. */
  async request(
    operation: Operation,
    args: Args = {},
    sections: readonly Uint8Array[] = []
  ): Promise<readonly Uint8Array[]> {
    return readReply(
      await this.#requests.request(({ correlationId }) =>
        makeRequest(operation, args, sections, correlationId)
      )
    )
  }

  async json<T>(operation: Operation, args: Args = {}, sections: readonly Uint8Array[] = []): Promise<T> {
    return readJson<T>(await this.request(operation, args, sections))
  }
}

async function attach(connection: AmqpConnection, handlers: ChannelHandlers): Promise<ChannelLinks> {
  const { onDelivery, onCredit, onClosed } = handlers
  await connection.openReceiver({ address: MANAGEMENT, window: WINDOW, onDelivery, onClosed })
  return { sender: await connection.openSender({ address: MANAGEMENT, onCredit, onClosed }) }
}
