// What conformance tests say most: these bytes end the connection, this CONNECT is refused, this comes and nothing else.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { RunningGateway } from '../fixtures/gateway.js'
import type { ConnectFields } from '../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../fixtures/mqtt-socket.js'

/** A client id that nobody else has, within the 23 characters of MQTT 3.1. */
export const freshId = (): string => `c${randomUUID().replaceAll('-', '').slice(0, 16)}`

/** The server closes a new connection without a CONNACK. */
export async function assertNoConnack(
  gateway: RunningGateway,
  bytes: Uint8Array,
  what?: string
): Promise<void> {
  const client = await gateway.openWith(bytes)
  assert.deepEqual(await client.untilClosed(), [], what)
}

/** The server answers a new connection with this return code, and closes it. */
export async function assertRefused(
  gateway: RunningGateway,
  bytes: Uint8Array,
  returnCode: number
): Promise<void> {
  const client = await gateway.openWith(bytes)
  assert.equal(await client.nextBytes(), `2002000${returnCode}`)
  assert.deepEqual(await client.untilClosed(), [])
}

/** The server accepts a new connection. */
export async function assertAccepted(gateway: RunningGateway, bytes: Uint8Array): Promise<MqttSocket> {
  const client = await gateway.openWith(bytes)
  assert.equal(await client.nextBytes(), '20020000')
  return client
}

/** The server closes the connection of a connected client that sends these bytes, and says nothing before. */
export async function assertCloses(
  gateway: RunningGateway,
  bytes: Uint8Array,
  what?: string,
  fields?: ConnectFields
): Promise<void> {
  const client = await gateway.connect(freshId(), fields)
  client.send(bytes)
  assert.deepEqual(await client.untilClosed(), [], what)
}

/** A client that is subscribed to these filters. */
export async function subscriber(
  gateway: RunningGateway,
  ...filters: readonly (readonly [filter: string, qos: number])[]
): Promise<MqttSocket> {
  const client = await gateway.connect(freshId())
  assert.deepEqual(
    await client.subscribe(...filters),
    filters.map(([, qos]) => qos)
  )
  return client
}

/** The next packets are PUBLISHes with these payloads. */
export async function assertPayloads(client: MqttSocket, ...payloads: readonly string[]): Promise<void> {
  const got: string[] = []
  while (got.length < payloads.length) got.push((await client.nextPublish()).payload)
  assert.deepEqual(got, payloads)
}
