// What a client was sent and has not acknowledged when its connection ended: identity of each delivery and the packet id it had, in
// their order, so that another connection can send them again under the same ids.
// Rule: a record is written under the connection that sent them, read by the next one, and goes with the session.

import type { AmqpValue, KeyedStore, Message } from '../host.js'
import { encodeClientId } from './addresses.js'

/** Name of the store; its keys are `<id>/<connection>` with the id encoded. */
export const IN_FLIGHT_STORE = 'in-flight'

export interface InFlightEntry {
  /** Delivery.id, or what else stays the same when the host delivers it again */
  readonly id: string
  readonly packetId: number
}

const MAX_PACKET_ID = 0xffff
const NOTHING: ReadonlyMap<string, AmqpValue> = new Map()

/** What the keys of a client's records start with. */
export const inFlightPrefix = (clientId: string): string => `${encodeClientId(clientId)}/`

export const inFlightKey = (clientId: string, connection: string): string =>
  `${inFlightPrefix(clientId)}${connection}`

export const encodeInFlight = (entries: readonly InFlightEntry[]): Message => ({
  durable: true,
  deliveryCount: 0,
  annotations: NOTHING,
  properties: {},
  applicationProperties: NOTHING,
  body: { type: 'value', value: new Map(entries.map(({ id, packetId }) => [id, packetId])) }
})

/** Reads a record; undefined where it says nothing that can be used. */
export function decodeInFlight({ body }: Message): readonly InFlightEntry[] | undefined {
  if (body.type !== 'value' || !(body.value instanceof Map)) return undefined
  const entries: InFlightEntry[] = []
  const used = new Set<number>()
  for (const [id, packetId] of body.value as ReadonlyMap<AmqpValue, AmqpValue>) {
    if (typeof id !== 'string' || !isPacketId(packetId) || used.has(packetId)) return undefined
    used.add(packetId)
    entries.push({ id, packetId })
  }
  return entries
}

const isPacketId = (value: AmqpValue): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_PACKET_ID

/** Removes all records of a client: its session has ended. `store`: IN_FLIGHT_STORE. */
export async function deleteInFlight(store: KeyedStore, clientId: string): Promise<void> {
  const keys: string[] = []
  for await (const [key] of store.entries(inFlightPrefix(clientId))) keys.push(key)
  await Promise.all(keys.map(key => store.delete(key)))
}
