// What the clients of a gateway have of its configuration: one object for all of them.
// Rule: it changes in place, so that a new limit counts for connected clients too and costs nothing per message.

import { randomUUID } from 'node:crypto'
import type { Config } from '../config.js'
import type { SessionOptions } from '../session/types.js'
import type { PacketStreamOptions } from './packet-stream.js'
import { Uids } from './uids.js'

type Changing = {
  -readonly [K in keyof (SessionOptions & PacketStreamOptions)]: (SessionOptions & PacketStreamOptions)[K]
}

export class ClientOptions {
  readonly #values: Changing

  constructor(config: Config) {
    const uids = new Uids()
    this.#values = {
      ...valuesOf(config),
      makeClientId: () => `mqtt-${randomUUID()}`,
      makeUid: () => uids.next()
    }
  }

  /** The same object each time; its values change. */
  get values(): SessionOptions & PacketStreamOptions {
    return this.#values
  }

  follow(config: Config): void {
    Object.assign(this.#values, valuesOf(config))
  }
}

function valuesOf({
  limits,
  publish
}: Config): Omit<SessionOptions & PacketStreamOptions, 'makeClientId' | 'makeUid'> {
  return {
    maxPacketBytes: limits.packetBytes,
    maxConnectBytes: limits.connectPacketBytes,
    connectTimeoutMs: limits.connectTimeoutMs,
    receiveMaximum: limits.receiveMaximum,
    bufferedBytes: limits.bufferedBytes,
    topicLevels: limits.topicLevels,
    topicBytes: limits.topicBytes,
    publishRetries: publish.retries
  }
}
