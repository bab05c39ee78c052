// The plugin's configuration for one address space, with its defaults filled in.
// Made from schemas/config.schema.json by `npm run docs`; edit that.

export interface Config {
  /**
   * The feature flag: false registers nothing and listens nowhere. Turned off, it ends the clients of the space.
   */
  readonly enabled: boolean
  /**
   * Where MQTT clients connect.
   */
  readonly listener: {
    /**
     * Address to listen on. A change moves the listener; connected clients stay connected.
     */
    readonly host: string
    /**
     * TCP port; 0 takes a free one. A change moves the listener: the new port is open before the old one closes, and connected clients stay connected.
     */
    readonly port: number
  }
  /**
   * What clients may ask for.
   */
  readonly limits: {
    /**
     * MQTT connections at once, those that have not said CONNECT yet among them; one over it is closed at once and counted. A lower limit closes nobody.
     */
    readonly connections: number
    /**
     * Time from a new connection to its CONNECT, and from CONNECT to CONNACK; a change counts for those that wait, too.
     */
    readonly connectTimeoutMs: number
    /**
     * Largest packet that a connected client may send.
     */
    readonly packetBytes: number
    /**
     * Largest packet that a client may send before its CONNECT is accepted.
     */
    readonly connectPacketBytes: number
    /**
     * Levels of a topic name or filter. Subscriptions that are there stay.
     */
    readonly topicLevels: number
    /**
     * Length of a topic name or filter in UTF-8.
     */
    readonly topicBytes: number
    /**
     * Topic filters that one client may be subscribed to. A lower limit takes none away.
     */
    readonly filtersPerClient: number
    /**
     * Publications with QoS 1 or 2 on their way to a client at once.
     */
    readonly receiveMaximum: number
    /**
     * Publications that wait for a slow client; over it QoS 0 is dropped and QoS 1 closes the client.
     */
    readonly bufferedBytes: number
  }
  /**
   * Publications of MQTT clients on their way to the host.
   */
  readonly publish: {
    /**
     * How often a publication that the host released is sent again before its client is closed.
     */
    readonly retries: number
  }
  /**
   * Sessions that outlive their connection, of MQTT and AMQP clients.
   */
  readonly sessions: {
    /**
     * Messages that wait in the queue of one session. What comes over that is dropped from this queue alone, and counted; what is there stays.
     */
    readonly maxQueuedMessages: number
    /**
     * The same in bytes, as the host counts them.
     */
    readonly maxQueuedBytes: number
    /**
     * Time after which a session goes, with its subscriptions and all that waits for it, while nobody receives from its queue or asks for anything under its client id. Restarts do not begin it again.
     */
    readonly abandonedAfterMs: number
    /**
     * Whether publications with QoS 0 wait for a client that is away. Where they do not, they are dropped, and counted, when the client comes back.
     */
    readonly queueQos0: boolean
  }
  /**
   * What the gateway holds at the host for its clients.
   */
  readonly host: {
    /**
     * Time for the link to a session's queue to be made again after the host lost it, before the client is closed. Until then it stays connected, and gets nothing.
     */
    readonly outageGraceMs: number
  }
  /**
   * Requests from the gateway to the services.
   */
  readonly services: {
    /**
     * Time for a service to answer before the request has failed.
     */
    readonly timeoutMs: number
    /**
     * Time for a client's former connection, on whatever gateway, to end after a new one came; then it is cut off. Less than timeoutMs, or the new one gives up first.
     */
    readonly takeoverTimeoutMs: number
    /**
     * What other gateways and services in the space are: with `original` client ids are written into addresses as they are, nothing is asked that originals do not know, and whoever asks last has a session. The same for all processes of a space. A change ends the clients of the space, which may come back at once.
     */
    readonly peer: 'ours' | 'original'
  }
}
