// What the bridges between a client's links and the core share.

import { AmqpError } from '../../../plugin/errors.js'
import type {
  AddressSpace,
  AmqpConnection,
  Credentials,
  Delivery,
  LinkError,
  Logger,
  Message,
  Principal,
  Receiver,
  ReceiverOptions,
  Sender,
  SenderOptions
} from '../../../plugin/host.js'
import { encodeMessage } from '../message.js'
import type { EncodedMessage } from '../message.js'

/** Who a link is of. */
export type Identity = Principal | 'service'

/** What the listener tells a sender of the core. */
export interface CoreSenderOptions extends SenderOptions {
  /** Resolves when the client has sent what it has now, or for which there was credit. */
  readonly onDrain?: (() => Promise<void>) | undefined
}

/** A delivery of the core. */
export interface CoreDelivery extends Delivery {
  /** ms left of the message's life; undefined: it has no end */
  remainingMs(now: number): number | undefined
}

export interface CoreReceiverOptions extends Omit<ReceiverOptions, 'onDelivery'> {
  readonly onDelivery: (delivery: CoreDelivery) => void
  /** of the source, as the AMQP client named them */
  readonly capabilities?: readonly string[] | undefined
}

/** A connection of the core, as the listener uses it. */
export interface CoreConnection extends AmqpConnection {
  openSender(options: CoreSenderOptions): Promise<Sender>
  openReceiver(options: CoreReceiverOptions): Promise<Receiver>
  /** The client vanished. */
  lose(): void
}

/** A space of the core, as the listener uses it. */
export interface CoreSpace extends Pick<AddressSpace, 'name' | 'capabilities' | 'authenticate'> {
  connect(as: Principal): Promise<CoreConnection>
  /** The plugin in another process; undefined: none may connect. */
  readonly service?: CoreService | undefined
}

export interface CoreService {
  knows(credentials: Credentials): boolean
  connect(): Promise<CoreConnection>
  /** What its deliveries say in their tags beyond their message; its messages then come with the header that they had. */
  readonly tagOf?: TagOf | undefined
}

export type TagOf = (delivery: CoreDelivery) => Buffer

export interface BridgeContext {
  /** the client is the plugin in another process, whose deliveries say more */
  readonly tagOf: TagOf | undefined
  readonly connection: CoreConnection
  /** Encodes a message that many receivers get one after the other only once. */
  readonly encode: (message: Message) => EncodedMessage
  /** What the client is told of a refusal; anything but AmqpError is a bug, and logged. */
  readonly refusal: (error: unknown) => LinkError
}

export function makeRefusal(log: Logger): (error: unknown) => LinkError {
  return error => {
    if (error instanceof AmqpError) return { condition: error.condition, description: error.description }
    log.error({ err: error }, 'a link could not be opened')
    return { condition: 'amqp:internal-error', description: 'the link could not be opened' }
  }
}

/** Remembers the last message it encoded. */
export function lastEncoder(): (message: Message) => EncodedMessage {
  let last: Message | undefined
  let encoded: EncodedMessage | undefined
  return message => {
    if (encoded === undefined || message !== last) encoded = encodeMessage(message)
    last = message
    return encoded
  }
}

/** What a terminus must be, by its capabilities; undefined: they do not say. */
export function kindOf(capabilities: readonly string[]): 'queue' | 'topic' | undefined {
  const queue = capabilities.includes('queue')
  if (queue === capabilities.includes('topic')) return undefined
  return queue ? 'queue' : 'topic'
}
