// Requests to a node of a broker, and their answers, for as long as the plugin runs.
// Rule: one connection at a time carries them, opened for the first request. When it goes, those without an answer fail; another one is
// opened at once, and tried again until it opens: whether there is one says whether the broker is there.

import { Backoff } from '../../plugin/backoff.js'
import type { AmqpError } from '../../plugin/errors.js'
import type { Message } from '../../plugin/host.js'
import { RequestChannel, type ChannelOptions, type RequestProperties } from './request-channel.js'

/** ms between attempts to open another connection */
const MIN_DELAY_MS = 50
const MAX_DELAY_MS = 2000

export interface RequestClientOptions extends ChannelOptions {
  /** The connection that was there is gone. */
  readonly onGone: (error: AmqpError) => void
  /** There is one again. */
  readonly onBack: () => void
}

export class RequestClient {
  readonly #options: RequestClientOptions
  readonly #backoff = new Backoff(MIN_DELAY_MS, MAX_DELAY_MS)
  #channel: Promise<RequestChannel> | undefined
  #wasGone = false
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: RequestClientOptions) {
    this.#options = options
  }

  /** Opens no other connection; that which is open is the host's to close. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  /** The answer to what `make` returns. Rejects with AmqpError: the loss of the connection, or the end of time. */
  async request(make: (properties: RequestProperties) => Message): Promise<Message> {
    const channel = await (this.#channel ?? this.#open())
    return channel.request(make)
  }

  #open(): Promise<RequestChannel> {
    clearTimeout(this.#timer)
    const opening = RequestChannel.open(this.#options, error => {
      if (this.#channel === opening) this.#gone(error)
    })
    this.#channel = opening
    opening.then(
      () => {
        if (this.#wasGone) this.#options.onBack()
        this.#wasGone = false
        this.#backoff.reset()
      },
      () => {
        if (this.#channel === opening) this.#channel = undefined
        if (this.#wasGone) this.#openLater()
      }
    )
    return opening
  }

  #gone(error: AmqpError): void {
    this.#channel = undefined
    if (this.#closed) return
    if (!this.#wasGone) this.#options.onGone(error)
    this.#wasGone = true
    this.#openLater()
  }

  #openLater(): void {
    clearTimeout(this.#timer)
    if (this.#closed) return
    this.#timer = setTimeout(() => {
      if (this.#channel === undefined) void this.#open() // what it rejects with was seen to in #open
    }, this.#backoff.next())
  }
}
