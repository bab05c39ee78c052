// Fills a durable queue of the server: MQTT publishers with QoS 1, and the AMQP client whose queue it is.

import { randomBytes } from 'node:crypto'
import { AmqpClient } from '../amqp/client.js'
import { RawClient } from '../mqtt/client.js'
import { publishPacket } from '../mqtt/packets.js'
import type { Ports } from '../servers/ours.js'

export const CLIENT_ID = 'figures'
export const PAYLOAD_BYTES = 100
const PUBLISHERS = 64
const PACKET_IDS = 60_000
const RANDOM = randomBytes(1 << 20)

/** Makes the queue of CLIENT_ID and a route to it. */
export async function makeQueue(ports: Ports): Promise<void> {
  const amqp = await AmqpClient.connect(ports.amqpPort)
  await amqp.subscribe(CLIENT_ID, { 'figures/#': '1' })
  await amqp.close()
}

export interface FillOptions {
  readonly messages: number
  /** not acknowledged, per publisher */
  readonly unacknowledged: number
}

/** The marker at both ends of payload `index` of `publisher`: where a write was split in one, the other is whole. */
export const markerOf = (publisher: number, index: number): string => `m${publisher}-${index};`

/** What no store can compress, between two markers. */
function payloadOf(publisher: number, index: number): Buffer {
  const marker = markerOf(publisher, index)
  const from = (index * 7919 + publisher) % (RANDOM.length - PAYLOAD_BYTES)
  const payload = Buffer.from(RANDOM.subarray(from, from + PAYLOAD_BYTES))
  payload.write(marker, 0, 'latin1')
  payload.write(marker, PAYLOAD_BYTES - marker.length, 'latin1')
  return payload
}

/** 64 publishers; resolves when all is acknowledged. */
export async function fill(ports: Ports, options: FillOptions): Promise<void> {
  await Promise.all(Array.from({ length: PUBLISHERS }, (_, publisher) => publish(ports, publisher, options)))
}

async function publish(ports: Ports, publisher: number, options: FillOptions): Promise<void> {
  const messages = Math.ceil(options.messages / PUBLISHERS)
  let sent = 0
  let acknowledged = 0
  let finish: () => void = () => {}
  let fail: (error: Error) => void = () => {}
  const finished = new Promise<void>((resolve, reject) => {
    finish = resolve
    fail = reject
  })
  const client = await RawClient.connect(ports.mqttPort, `figures-${publisher}`, {
    onTraffic: (_, pubacks) => {
      acknowledged += pubacks
      pump()
      if (acknowledged === messages) finish()
    },
    onLost: error => fail(error ?? new Error('the connection of a publisher was lost'))
  })
  const pump = (): void => {
    const packets: Buffer[] = []
    while (sent < messages && sent - acknowledged < options.unacknowledged) {
      const payload = payloadOf(publisher, sent)
      packets.push(publishPacket(`figures/${publisher}`, payload, 1, (sent % PACKET_IDS) + 1))
      sent += 1
    }
    if (packets.length > 0) client.write(Buffer.concat(packets))
  }
  pump()
  await finished
  await client.end()
}
