// An MQTT publisher that knows what it sent and what the server acknowledged, and sends the rest again after a fault.
// Rule: acknowledgements come in the order of the publications [MQTT3-4.6.0-2], so a count says which they are for.

import assert from 'node:assert/strict'
import { RawClient } from '../../bench/mqtt/client.js'
import { publishPacket } from '../../bench/mqtt/packets.js'

const UNACKNOWLEDGED = 64
const PACKET_IDS = 60_000
const PAYLOAD_BYTES = 100

export class Publisher {
  readonly name: string
  readonly #topic: string
  #onAcknowledged: () => void = () => {}
  #client: RawClient | undefined
  #sent = 0
  #acknowledged = 0
  #flowing = false
  #lost: (() => void) | undefined

  constructor(name: string, topic: string) {
    this.name = name
    this.#topic = topic
  }

  /** Publications sent at least once: their numbers are 0 to sent - 1. */
  get sent(): number {
    return this.#sent
  }

  /** Of those, 0 to acknowledged - 1 had their PUBACK. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** Publishes as fast as its window lets it, until the connection is lost. `onAcknowledged` runs after each chunk with PUBACKs. */
  async flow(port: number, onAcknowledged: () => void): Promise<void> {
    this.#onAcknowledged = onAcknowledged
    await this.#connect(port)
    this.#flowing = true
    this.#pump()
  }

  /** What is final when nothing flows. */
  get count(): { readonly sent: number; readonly acknowledged: number } {
    return { sent: this.#sent, acknowledged: this.#acknowledged }
  }

  /** Resolves when the connection that flow() opened is gone; nothing is acknowledged after that. */
  async connectionLost(): Promise<void> {
    if (this.#client === undefined) return
    await new Promise<void>(resolve => (this.#lost = resolve))
  }

  /** Sends what was not acknowledged again with DUP, in order; resolves when all of it is acknowledged, then disconnects. */
  async resume(port: number): Promise<void> {
    const client = await this.#connect(port)
    const all = new Promise<void>(resolve => {
      this.#onAcknowledged = () => {
        if (this.#acknowledged === this.#sent) resolve()
      }
    })
    for (let i = this.#acknowledged; i < this.#sent; i++) client.write(this.#packet(i, true))
    this.#onAcknowledged()
    await all
    await client.end()
  }

  /** Sends nothing new; resolves when all is acknowledged, then disconnects. */
  async stop(): Promise<void> {
    const client = this.#client
    assert.ok(client, `${this.name}: the connection is there`)
    this.#flowing = false
    await new Promise<void>(resolve => {
      this.#onAcknowledged = () => {
        if (this.#acknowledged === this.#sent) resolve()
      }
      this.#onAcknowledged()
    })
    await client.end()
  }

  async #connect(port: number): Promise<RawClient> {
    const client = await RawClient.connect(port, `fault-${this.name}`, {
      onPuback: id => {
        assert.equal(
          id,
          packetId(this.#acknowledged),
          `${this.name}: PUBACKs keep the order of the PUBLISHes`
        )
        this.#acknowledged += 1
      },
      onTraffic: () => {
        this.#onAcknowledged()
        this.#pump()
      },
      onLost: () => {
        this.#client = undefined
        this.#flowing = false
        this.#lost?.()
      }
    })
    this.#client = client
    return client
  }

  #pump(): void {
    if (!this.#flowing) return
    const packets: Buffer[] = []
    while (this.#sent - this.#acknowledged < UNACKNOWLEDGED) packets.push(this.#packet(this.#sent++, false))
    if (packets.length > 0) this.#client?.write(Buffer.concat(packets))
  }

  #packet(index: number, dup: boolean): Buffer {
    const payload = Buffer.from(`${this.name} ${index} `.padEnd(PAYLOAD_BYTES, '.'))
    return publishPacket(this.#topic, payload, 1, packetId(index), dup)
  }
}

const packetId = (index: number): number => (index % PACKET_IDS) + 1

/** Publisher and number of a publication. */
export interface Label {
  readonly publisher: string
  readonly index: number
}

export function labelOf(payload: Buffer): Label {
  const [publisher = '', index = ''] = payload.toString('latin1').split(' ')
  return { publisher, index: Number(index) }
}
