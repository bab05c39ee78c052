// An MQTT client with a wildcard subscription that is to miss nothing, for as long as it is connected.

import { RawClient } from '../../bench/mqtt/client.js'
import { END } from './drained.js'
import { labelOf, type Label } from './publisher.js'

export class Watcher {
  /** in the order in which they came */
  readonly labels: Label[] = []
  /** the connection ended, and nobody asked for it */
  lost = false
  readonly #ended: Promise<void>
  #onEnd: () => void = () => undefined
  #client: RawClient | undefined

  private constructor() {
    this.#ended = new Promise(resolve => (this.#onEnd = resolve))
  }

  static async start(port: number): Promise<Watcher> {
    const watcher = new Watcher()
    watcher.#client = await RawClient.connect(port, 'fault-watcher', {
      onPublish: ({ bytes, payloadStart, end }) => watcher.#onPayload(bytes.subarray(payloadStart, end)),
      onLost: () => {
        watcher.lost = true
        watcher.#onEnd()
      }
    })
    await watcher.#client.subscribe('fault/#', 1)
    return watcher
  }

  /** What came until the last message, or the end of the connection. */
  async all(): Promise<readonly Label[]> {
    await this.#ended
    await this.#client?.end()
    return this.labels
  }

  #onPayload(payload: Buffer): void {
    if (payload.toString('latin1') === END) this.#onEnd()
    else this.labels.push(labelOf(payload))
  }
}
