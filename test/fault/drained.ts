// The durable queue of a pure AMQP client, emptied after a fault.
// Rule: a queue is first in, first out, so that what comes before a last message is all there is.

import type { AmqpClient } from '../../bench/amqp/client.js'
import { RawClient } from '../../bench/mqtt/client.js'
import { publishPacket } from '../../bench/mqtt/packets.js'
import { labelOf, type Label } from './publisher.js'

export const END = 'end'
const WINDOW = 200

/** What came to the queue of `clientId` until the last message, in order. */
export async function drain(amqp: AmqpClient, clientId: string): Promise<readonly Label[]> {
  const labels: Label[] = []
  await new Promise<void>((resolve, reject) => {
    const onDelivery = ({ payload, accept }: { payload: Buffer; accept(): void }): void => {
      accept()
      if (payload.toString() === END) resolve()
      else labels.push(labelOf(payload))
    }
    amqp.receive(clientId, WINDOW, onDelivery).catch(reject)
  })
  return labels
}

/** Publishes the last message, to `fault/end`; resolves when it is acknowledged. */
export async function publishEnd(port: number): Promise<void> {
  let acknowledged: (() => void) | undefined
  const done = new Promise<void>(resolve => (acknowledged = resolve))
  const client = await RawClient.connect(port, 'fault-end', { onPuback: () => acknowledged?.() })
  client.write(publishPacket('fault/end', Buffer.from(END), 1, 1))
  await done
  await client.end()
}
