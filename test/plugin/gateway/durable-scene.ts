// Gateways on one space, and client x with a session that outlives its connections.

import assert from 'node:assert/strict'
import { IN_FLIGHT_STORE, inFlightPrefix } from '../../../plugin/messages/in-flight.js'
import type { GatewayOptions, RunningGateway } from '../../fixtures/gateway.js'
import { Gateways } from '../../fixtures/gateways.js'
import { connect, type PublishedPacket } from '../../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../../fixtures/mqtt-socket.js'

export class DurableScene {
  readonly #gateways = new Gateways()

  start(options?: GatewayOptions): Promise<RunningGateway> {
    return this.#gateways.start(options)
  }

  stop(): Promise<void> {
    return this.#gateways.stop()
  }

  forget(gateway: RunningGateway): void {
    this.#gateways.forget(gateway)
  }

  /** Client x with CleanSession 0. */
  async come(gateway: RunningGateway, sessionPresent: boolean): Promise<MqttSocket> {
    const client = await gateway.openWith(connect({ clientId: 'x', clean: false }))
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent, returnCode: 0 })
    return client
  }

  /** Client x with a new session that is subscribed to `t/#` with QoS 1. */
  async subscribed(gateway: RunningGateway): Promise<MqttSocket> {
    const client = await this.come(gateway, false)
    assert.deepEqual(await client.subscribe(['t/#', 1]), [1])
    return client
  }

  /** Publishes to `t/x` with QoS 1; resolves when all is acknowledged. */
  async send(gateway: RunningGateway, ...payloads: readonly string[]): Promise<void> {
    const publisher = await gateway.connect('publisher')
    for (const payload of payloads) await publisher.publish('t/x', payload)
    await publisher.disconnect()
  }

  /** Keys of the in-flight records of client x. */
  async records(gateway: RunningGateway): Promise<string[]> {
    const store = await gateway.space.store(IN_FLIGHT_STORE)
    const keys: string[] = []
    for await (const [key] of store.entries(inFlightPrefix('x'))) keys.push(key)
    return keys
  }
}

/** The next `count` packets, which must be PUBLISHes. */
export async function take(client: MqttSocket, count: number): Promise<PublishedPacket[]> {
  const packets: PublishedPacket[] = []
  while (packets.length < count) packets.push(await client.nextPublish())
  return packets
}

/** The same packets as they come again. */
export const again = (packets: readonly PublishedPacket[]): PublishedPacket[] =>
  packets.map(packet => ({ ...packet, dup: true }))
