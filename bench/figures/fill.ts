// Fills a durable queue of the server: MQTT publishers with QoS 1, and the AMQP client whose queue it is.

import { AmqpClient } from '../amqp/client.js'
import { RawClient } from '../mqtt/client.js'
import { publishPacket } from '../mqtt/packets.js'
import type { Ports } from '../servers/ours.js'

export const CLIENT_ID = 'figures'
export const PAYLOAD_BYTES = 100
const PUBLISHERS = 64
const PACKET_IDS = 60_000

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

/** The marker that payload `index` of `publisher` repeats: one that a write was split in is still whole elsewhere. */
export const markerOf = (publisher: number, index: number): string => `m${publisher}-${index};`

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
      const marker = markerOf(publisher, sent)
      const payload = Buffer.from(
        marker.repeat(Math.ceil(PAYLOAD_BYTES / marker.length)).slice(-PAYLOAD_BYTES)
      )
      packets.push(publishPacket(`figures/${publisher}`, payload, 1, (sent % PACKET_IDS) + 1))
      sent += 1
    }
    if (packets.length > 0) client.write(Buffer.concat(packets))
  }
  pump()
  await finished
  await client.end()
}
