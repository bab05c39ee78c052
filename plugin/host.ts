// The host port: everything the plugin asks of a messaging platform. Types only.
// Rule: what a host must do is defined by the contract suite (test/contract), and by nothing else; no type here belongs
// to an AMQP library, and nothing in plugin/ may ask which host it runs on, only what it can do (`capabilities`).
// One long file, since a port is read as a whole.

// --- AMQP values and messages -------------------------------------------------------------------------------------

/** AMQP types that a JavaScript value does not show. */
export type AmqpTypeName =
  | 'ubyte'
  | 'ushort'
  | 'uint'
  | 'ulong'
  | 'byte'
  | 'short'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'symbol'
  | 'timestamp'
  | 'uuid'

/** A value with its AMQP type. `timestamp`: ms since 1970; `uuid`: 16 bytes. */
export interface AmqpTyped {
  readonly type: AmqpTypeName
  readonly value: number | bigint | string | Uint8Array
}

/**
 * A value of a message. Read from a host: integers and floats are numbers (bigint where a number is not exact), strings,
 * symbols and chars are strings, binary and decimals are bytes, lists and arrays are arrays, maps are Maps in their order;
 * only `timestamp` and `uuid` come as AmqpTyped. A described value comes without its descriptor.
 * Written to a host: a number is an int, long or double, whichever fits; a bigint a long; all else needs AmqpTyped.
 */
export type AmqpValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | AmqpTyped
  | readonly AmqpValue[]
  | ReadonlyMap<AmqpValue, AmqpValue>

/** message-id or correlation-id: number and bigint are `ulong`, bytes are `binary`. */
export type MessageId = string | number | bigint | Uint8Array | (AmqpTyped & { readonly type: 'uuid' })

export interface MessageProperties {
  readonly messageId?: MessageId | undefined
  readonly userId?: Uint8Array | undefined
  readonly to?: string | undefined
  readonly subject?: string | undefined
  readonly replyTo?: string | undefined
  readonly correlationId?: MessageId | undefined
  readonly contentType?: string | undefined
  readonly contentEncoding?: string | undefined
  /** ms since 1970 */
  readonly absoluteExpiryTime?: number | undefined
  /** ms since 1970 */
  readonly creationTime?: number | undefined
  readonly groupId?: string | undefined
  readonly groupSequence?: number | undefined
  readonly replyToGroupId?: string | undefined
}

export type MessageBody =
  | { readonly type: 'none' }
  | { readonly type: 'data'; readonly sections: readonly Uint8Array[] }
  | { readonly type: 'value'; readonly value: AmqpValue }
  | { readonly type: 'sequence'; readonly sections: readonly (readonly AmqpValue[])[] }

/**
 * An AMQP 1.0 message. Immutable. What a host hands out may be backed by the bytes it received: whoever passes such a
 * message on to a host passes those bytes on, bit for bit, but for header and annotations.
 */
export interface Message {
  readonly durable: boolean
  readonly priority?: number | undefined
  /** ms */
  readonly ttlMs?: number | undefined
  /** the header's delivery-count as its sender wrote it; Delivery.deliveryCount has what the host adds */
  readonly deliveryCount: number
  /** message annotations */
  readonly annotations: ReadonlyMap<string, AmqpValue>
  readonly properties: MessageProperties
  readonly applicationProperties: ReadonlyMap<string, AmqpValue>
  readonly body: MessageBody
}

export type Outcome =
  | { readonly type: 'accepted' }
  | {
      readonly type: 'rejected'
      readonly condition: string
      readonly description: string
      readonly info?: ReadonlyMap<string, string> | undefined
    }
  | { readonly type: 'released' }
  | { readonly type: 'modified'; readonly deliveryFailed: boolean; readonly undeliverableHere: boolean }

/** A message on its way to a receiver. */
export interface Delivery {
  readonly message: Message
  /** the same when the host delivers this message from this queue again; undefined where the host has no such identity */
  readonly id: string | undefined
  /** the header's delivery-count as a receiver sees it: the sender's plus failed deliveries */
  readonly deliveryCount: number
  /** Ends the delivery. Once; later calls, and calls after the link closed, do nothing. */
  settle(outcome: Outcome): void
}

// --- Links --------------------------------------------------------------------------------------------------------

/** An AMQP error as data. */
export interface LinkError {
  readonly condition: string
  readonly description: string
}

/**
 * Why a link ended without this side asking. `clean`: the peer detached. `error`: the peer detached with an error. `lost`:
 * the link, its session or connection went away under it. `orphaned` (served links): the server's own connection went.
 */
export interface LinkClosed {
  readonly cause: 'clean' | 'error' | 'lost' | 'orphaned'
  readonly error?: LinkError | undefined
}

export interface SenderOptions {
  /** link name; the host makes one up where there is none */
  readonly name?: string | undefined
  /** undefined: an anonymous relay, `to` of each message says where it goes; only where capabilities.relay */
  readonly address: string | undefined
  /** `queue`: must be a queue. `topic`: must be a topic. undefined: what the host has under that address. */
  readonly kind?: 'queue' | 'topic' | undefined
  /** Credit rose from 0. */
  readonly onCredit?: (() => void) | undefined
  /** Called once, and not after close(). Sends without an outcome by then have none: their fate is not known. */
  readonly onClosed?: ((closed: LinkClosed) => void) | undefined
}

export interface SendOptions {
  /** A message with the id of one that the host took before is accepted and dropped; only where capabilities.durableDedup. */
  readonly dedupId?: Uint8Array | undefined
}

export interface Sender {
  readonly name: string
  /** Messages that may be sent now. */
  readonly credit: number
  /**
   * Sends unsettled. `onOutcome` runs once, perhaps before send returns; a durable message is accepted only when it is safe in
   * each durable queue it was routed to. Throws a RangeError without credit.
   */
  send(message: Message, onOutcome?: (outcome: Outcome) => void, options?: SendOptions): void
  /** Detaches, with `error` where given; resolves when the host has answered. */
  close(error?: LinkError): Promise<void>
}

export interface ReceiverOptions {
  readonly name?: string | undefined
  /**
   * A queue, or a topic filter in MQTT's syntax (then a subscription that lives as long as the link); undefined: the host makes
   * a reply node that lives as long as the link, and names it in Receiver.address.
   */
  readonly address: string | undefined
  /** `queue`: must be a queue. `topic`: must be a topic filter. undefined: what the host has under that address. */
  readonly kind?: 'queue' | 'topic' | undefined
  /** Deliveries at once; each settled one makes room for another. 0: only what addCredit gives. */
  readonly window: number
  /** Refused with `amqp:resource-locked` while there is another consumer, and keeps others out. */
  readonly exclusive?: boolean | undefined
  /** Read what is there without taking it; accepting does not consume. Only where capabilities.browse. */
  readonly browse?: boolean | undefined
  readonly onDelivery: (delivery: Delivery) => void
  /** Called once, and not after close(). */
  readonly onClosed?: ((closed: LinkClosed) => void) | undefined
}

export interface Receiver {
  readonly name: string
  /** the address it receives from */
  readonly address: string
  addCredit(credit: number): void
  /** Resolves when all that was there and had credit was delivered, and takes back the credit that is left. */
  drain(): Promise<void>
  /** Detaches; what is not settled goes back to its queue, delivery-count unchanged. */
  close(error?: LinkError): Promise<void>
}

/** Links of one identity; a host may carry many of these on one real connection. */
export interface AmqpConnection {
  /** Rejects with AmqpError, `amqp:not-found` and `amqp:unauthorized-access` among them. */
  openSender(options: SenderOptions): Promise<Sender>
  /** Rejects with AmqpError, `amqp:not-found`, `amqp:resource-locked` and `amqp:unauthorized-access` among them. */
  openReceiver(options: ReceiverOptions): Promise<Receiver>
  /** Closes all links without an error. */
  close(): Promise<void>
}

/** A link that a client opened to an address that the plugin serves; the client sends. */
export interface ServedLink {
  /** as the client named it */
  readonly name: string
  readonly address: string
  /** who attached: a user, or the plugin itself */
  readonly user: Principal | 'service'
  /** Takes the link; must be called, or close, before onLink returns. `window` as for a receiver. */
  accept(handlers: {
    readonly window: number
    readonly onDelivery: (delivery: Delivery) => void
    readonly onClosed: (closed: LinkClosed) => void
  }): void
  /** Refuses the link, or detaches it later. */
  close(error?: LinkError): void
}

/** A link that a client opened to receive from an address that the plugin serves; the plugin sends. */
export interface ServedReader {
  /** as the client named it */
  readonly name: string
  /** all of it, the prefix too */
  readonly address: string
  /** who attached: a user, or the plugin itself */
  readonly user: Principal | 'service'
  /** Messages that may be sent now. */
  readonly credit: number
  /** Takes the link; must be called, or close, before onReader returns. */
  accept(handlers: {
    /** Credit rose from 0. */
    readonly onCredit: () => void
    /** Called once, and not after close(). */
    readonly onClosed: (closed: LinkClosed) => void
    /**
     * The client asks whether there is more: resolves when all was sent that there is now, or for which there was credit. Where it is
     * missing the answer is no, at once.
     */
    readonly onDrain?: (() => Promise<void>) | undefined
  }): void
  /** Sends unsettled; throws a RangeError without credit. */
  send(message: Message, onOutcome?: (outcome: Outcome) => void): void
  /** Refuses the link, or detaches it later. */
  close(error?: LinkError): void
}

export interface Closeable {
  close(): Promise<void>
}

// --- Users --------------------------------------------------------------------------------------------------------

export type Credentials =
  | { readonly mechanism: 'ANONYMOUS' }
  | { readonly mechanism: 'PLAIN'; readonly username: string; readonly password: Uint8Array }

/** An authenticated user and its rights. `filter`: any topic filter; a right to it covers all topics it matches. */
export interface Principal {
  readonly name: string
  maySend(topic: string): boolean | Promise<boolean>
  mayReceive(filter: string): boolean | Promise<boolean>
  /** May use the (decoded) MQTT client id, with its queues, will and control address. */
  mayUse(clientId: string): boolean | Promise<boolean>
}

/** `bad-credentials` only where the host says that name or password is wrong. */
export type Authentication =
  | { readonly principal: Principal }
  | { readonly refused: 'bad-credentials' | 'not-authorized' | 'unavailable'; readonly description: string }

// --- State that the host keeps --------------------------------------------------------------------------------------

/** What one queue may hold. What comes over it is dropped from that queue alone: the publisher's message is accepted all the same. */
export interface QueueLimits {
  readonly maxMessages: number
  /** payload with what belongs to it, as the host counts */
  readonly maxBytes: number
}

/** The plugin's own queues: durable, names with an owned prefix. */
export interface Queues {
  /** Durable queue; nothing happens if it is there. */
  create(name: string): Promise<void>
  /** Deletes it with what is in it; its consumers close with `amqp:resource-deleted`. Nothing happens if it is not there. */
  delete(name: string): Promise<void>
  /** Closes the consumers with `amqp:resource-deleted`; what they had not settled is there for the next, in order. */
  closeConsumers(name: string): Promise<void>
  /** Names that start with `prefix`. */
  list(prefix: string): Promise<readonly string[]>
  /** Those of them that nobody receives from. */
  unattended(prefix: string): Promise<readonly string[]>
  /** Bounds of each queue whose name starts with `prefix`, from now on and until the next call; they may be forgotten in a restart. */
  limit(prefix: string, limits: QueueLimits): Promise<void>
  /** Messages that `limit` kept out of these queues since the host began to count. */
  dropped(prefix: string): Promise<number>
}

export interface Route {
  /** topic filter, MQTT syntax */
  readonly filter: string
  readonly queue: string
  /**
   * `retained`: only publications with the annotation `x-opt-retain-message` true, and then `#` matches topics that begin with `$`,
   * too, but for those with an owned prefix.
   */
  readonly only?: 'retained' | undefined
}

/**
 * Durable routes from topic filters to the plugin's queues. Filters of one queue that overlap give one copy. Two that differ in
 * `only` are two routes.
 */
export interface Routes {
  /** Resolves when the next publication takes the route. Nothing happens if it is there. Rejects `amqp:not-found` without the queue. */
  add(route: Route): Promise<void>
  /** Nothing happens if it is not there. */
  remove(route: Route): Promise<void>
  /** All routes, or those to one queue. */
  list(queue?: string): Promise<readonly Route[]>
}

/** Durable last-value state. Writes to one key keep their order. */
export interface KeyedStore {
  /** Resolves when the value is durable. */
  put(key: string, value: Message): Promise<void>
  get(key: string): Promise<Message | undefined>
  /** Resolves when the removal is durable. */
  delete(key: string): Promise<void>
  /** What is there when it is reached, keys in the order of their UTF-8 bytes; with `after` only those that come after it. */
  entries(prefix?: string, after?: string): AsyncIterable<readonly [key: string, value: Message]>
}

// --- Address spaces and the host ------------------------------------------------------------------------------------

export interface Capabilities {
  /** one sender without an address reaches all topics */
  readonly relay: boolean
  /** receivers can browse */
  readonly browse: boolean
  /** a detach carries its error to the other side */
  readonly detachError: boolean
  /** rcv-settle-mode second works end to end */
  readonly threePhase: boolean
  /** duplicate ids survive a restart of the host */
  readonly durableDedup: boolean
  /** delivery can be delayed */
  readonly delay: boolean
  /** a publication that nobody receives has the outcome `released` */
  readonly noReceiver: boolean
  /** the host has MQTT clients of its own on the same topics */
  readonly nativeMqtt: boolean
}

/** An address that the host itself has. */
export interface Address {
  readonly name: string
  readonly type: 'queue' | 'topic' | 'anycast' | 'multicast'
}

/** One tenant's AMQP namespace. */
export interface AddressSpace {
  readonly name: string
  readonly type: 'standard' | 'brokered'
  /** the plugin's configuration for this space, not yet validated; undefined: the feature flag is off here */
  readonly mqtt: unknown
  readonly capabilities: Capabilities
  readonly addresses: readonly Address[]
  authenticate(credentials: Credentials): Promise<Authentication>
  /** As a user (its rights decide per topic) or as the plugin, which may use all that it owns. */
  connect(as: Principal | 'service'): Promise<AmqpConnection>
  /**
   * Serves an address that clients and the plugin itself send to. Rejects `amqp:resource-locked` while another serves it. close()
   * detaches the links; their clients may attach again when the address is served again, and get `amqp:not-found` until then.
   * `onLost`: called once, and not after close(): the host lets another one serve it from now on; the links are orphaned.
   */
  serve(address: string, onLink: (link: ServedLink) => void, onLost?: () => void): Promise<Closeable>
  /** Serves all addresses that begin with `prefix` to clients that receive from them; else as `serve`. */
  serveReaders(
    prefix: string,
    onReader: (reader: ServedReader) => void,
    onLost?: () => void
  ): Promise<Closeable>
  /**
   * A subscription to a topic filter for the gateway's inbox: in order per publisher, each publication once, gone with its
   * holder. Resolves when the next publication comes. When the host loses it, onClosed says so.
   */
  source(filter: string, options: SourceOptions): Promise<Source>
  readonly queues: Queues
  readonly routes: Routes
  /** Opens a store by name; the same one each time. */
  store(name: string): Promise<KeyedStore>
}

export interface SourceOptions {
  /** unsettled deliveries at once */
  readonly window: number
  readonly onDelivery: (delivery: Delivery) => void
  /** Called once, and not after close(): publications from now on are lost. */
  readonly onClosed: (closed: LinkClosed) => void
}

export interface Source {
  /** Resolves when everything accepted before the call was delivered, and nothing more comes. */
  close(): Promise<void>
}

/** Structured log: fields first, then a constant message. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface Counter {
  add(count: number): void
}

/** Names, units and labels are in plugin/metrics.ts. */
export interface Metrics {
  /** The same counter for the same name and labels. */
  counter(name: string, labels: Readonly<Record<string, string>>): Counter
  /** `read` is called when somebody looks; close() ends that. */
  gauge(name: string, labels: Readonly<Record<string, string>>, read: () => number): { close(): void }
}

/** A configuration error: JSON pointer into AddressSpace.mqtt, and what was expected there. */
export interface ConfigError {
  readonly path: string
  readonly message: string
}

export type SpaceStatus =
  | { readonly state: 'off' | 'stopped' }
  | {
      readonly state: 'ready'
      readonly listeners: readonly { readonly host: string; readonly port: number }[]
    }
  /** `listeners`: those that go on, with the configuration before; empty: nothing runs */
  | {
      readonly state: 'failed'
      readonly reason: string
      readonly errors: readonly ConfigError[]
      readonly listeners: readonly { readonly host: string; readonly port: number }[]
    }

/** Any of these may come again with nothing changed. */
export interface HostHooks {
  addressSpaceAdded(space: AddressSpace): Promise<void>
  /**
   * Configuration or addresses changed. What runs goes on with the methods of the space that it has; a space that is another one
   * under the same name is removed and added.
   */
  addressSpaceChanged(space: AddressSpace): Promise<void>
  addressSpaceRemoved(name: string): Promise<void>
  /** `deadline`: ms since 1970; what is not finished then is cut off */
  closing(deadline: number): Promise<void>
}

export interface Host {
  readonly name: string
  /** version of this port that the host implements */
  readonly apiVersion: number
  readonly log: Logger
  readonly metrics: Metrics
  on<K extends keyof HostHooks>(hook: K, handler: HostHooks[K]): void
  report(space: string, status: SpaceStatus): void
}

export interface Plugin {
  readonly name: string
  readonly apiVersion: 1
  /** Takes the hooks of `host`. Throws where host.apiVersion is not supported, or `options` (PluginOptions) are not valid. */
  register(host: Host, options?: unknown): void
}
