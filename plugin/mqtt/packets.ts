// Control packets as the plugin sees them, for all versions: mqtt-packet's shapes without what it leaves open.
// Rule: gateway/packet-stream is the only place that knows mqtt-packet; it gives and takes these.

export type Qos = 0 | 1 | 2

export interface ConnectPacket {
  readonly cmd: 'connect'
  readonly protocolVersion: 3 | 4 | 5
  readonly clientId: string
  readonly clean: boolean
  /** s */
  readonly keepAliveS: number
  readonly username?: string | undefined
  readonly password?: Uint8Array | undefined
  readonly will?:
    | { readonly topic: string; readonly payload: Uint8Array; readonly qos: Qos; readonly retain: boolean }
    | undefined
}

export interface PublishPacket {
  readonly cmd: 'publish'
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: Qos
  readonly retain: boolean
  readonly dup: boolean
  /** with QoS > 0 */
  readonly packetId?: number | undefined
}

export interface AckPacket {
  readonly cmd: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp'
  readonly packetId: number
}

export interface SubscribePacket {
  readonly cmd: 'subscribe'
  readonly packetId: number
  readonly filters: readonly { readonly filter: string; readonly qos: Qos }[]
}

export interface UnsubscribePacket {
  readonly cmd: 'unsubscribe'
  readonly packetId: number
  readonly filters: readonly string[]
}

export interface PlainPacket {
  readonly cmd: 'pingreq' | 'disconnect'
}

/** What a client may send. */
export type InboundPacket =
  ConnectPacket | PublishPacket | AckPacket | SubscribePacket | UnsubscribePacket | PlainPacket

/** What a server may send. `publish` may share its encoding with other clients: see packet-stream. */
export type OutboundPacket =
  | { readonly cmd: 'connack'; readonly returnCode: number; readonly sessionPresent: boolean }
  | PublishPacket
  | AckPacket
  | { readonly cmd: 'suback'; readonly packetId: number; readonly codes: readonly number[] }
  | { readonly cmd: 'unsuback'; readonly packetId: number }
  | { readonly cmd: 'pingresp' }
