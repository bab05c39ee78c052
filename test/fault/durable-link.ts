// One connection of an MQTT client with a durable session, through whatever happens to the server.
// Rule: what was asked has an answer or none, for the connection ended; what comes is told as it comes, and acknowledged in its order.

import { connect, DISCONNECT, PINGREQ, puback, subscribe, unsubscribe } from '../fixtures/mqtt-bytes.js'
import type { PublishedPacket, RequestedFilter, ServerPacket } from '../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../fixtures/mqtt-socket.js'

export interface LinkHandlers {
  readonly onPublish: (packet: PublishedPacket, link: DurableLink) => void
  readonly onClosed: (link: DurableLink) => void
}

export class DurableLink {
  readonly #socket: MqttSocket
  readonly #handlers: LinkHandlers
  readonly #asked = new Map<string, (answer: ServerPacket | undefined) => void>()
  /** packet ids of what came and was not acknowledged */
  readonly #unacknowledged: number[] = []
  #packetId = 0
  #onEnded: () => void = () => undefined
  /** resolves at the end of the connection */
  readonly ended = new Promise<void>(resolve => (this.#onEnded = resolve))

  private constructor(socket: MqttSocket, handlers: LinkHandlers) {
    this.#socket = socket
    this.#handlers = handlers
    socket.onNews = () => this.#read()
  }

  /** undefined: nobody listens. */
  static async open(port: number, handlers: LinkHandlers): Promise<DurableLink | undefined> {
    const socket = await MqttSocket.open(port).catch(() => undefined)
    return socket && new DurableLink(socket, handlers)
  }

  get closed(): boolean {
    return this.#socket.closed
  }

  /** Packets that it has not acknowledged. */
  get held(): number {
    return this.#unacknowledged.length
  }

  /** Session present, where the client is let in. */
  async connect(clientId: string, clean: boolean): Promise<boolean | undefined> {
    const answer = await this.#ask('connack', connect({ clientId, clean }))
    return answer?.cmd === 'connack' && answer.returnCode === 0 ? answer.sessionPresent : undefined
  }

  /** Whether it was answered, and granted. */
  async subscribe(...filters: readonly RequestedFilter[]): Promise<boolean> {
    const packetId = ++this.#packetId
    const answer = await this.#ask(`suback ${packetId}`, subscribe(packetId, ...filters))
    return answer?.cmd === 'suback' && answer.codes.every((code, i) => code === filters[i]?.[1])
  }

  /** Whether it was answered. */
  async unsubscribe(...filters: readonly string[]): Promise<boolean> {
    const packetId = ++this.#packetId
    return (await this.#ask(`unsuback ${packetId}`, unsubscribe(packetId, ...filters))) !== undefined
  }

  /** Whether it was answered: what was sent before was read then. */
  async ping(): Promise<boolean> {
    return (await this.#ask('pingresp', PINGREQ)) !== undefined
  }

  /** All that came. */
  acknowledge(): void {
    const packetIds = this.#unacknowledged.splice(0)
    if (packetIds.length > 0) this.#socket.send(...packetIds.map(puback))
  }

  /** Says DISCONNECT; resolves when the server has closed the connection. */
  async disconnect(): Promise<void> {
    this.#socket.send(DISCONNECT)
    await this.ended
  }

  /** The connection is lost; what has come and was not read is lost, too. */
  vanish(): void {
    this.#socket.onNews = undefined
    this.#socket.reset()
    this.#end()
  }

  #ask(answer: string, bytes: Uint8Array): Promise<ServerPacket | undefined> {
    if (this.closed) return Promise.resolve(undefined)
    return new Promise(resolve => {
      this.#asked.set(answer, resolve)
      this.#socket.send(bytes)
    })
  }

  #read(): void {
    for (const packet of this.#socket.takeNow()) {
      if (packet.cmd !== 'publish') this.#answered(packet)
      else {
        if (packet.packetId !== undefined) this.#unacknowledged.push(packet.packetId)
        this.#handlers.onPublish(packet, this)
      }
    }
    if (this.closed) this.#end()
  }

  #answered(packet: ServerPacket): void {
    const key = 'packetId' in packet ? `${packet.cmd} ${packet.packetId}` : packet.cmd
    const resolve = this.#asked.get(key)
    if (resolve === undefined) throw new Error(`${key} that nobody asked for`)
    this.#asked.delete(key)
    resolve(packet)
  }

  #end(): void {
    for (const resolve of this.#asked.values()) resolve(undefined)
    this.#asked.clear()
    this.#onEnded()
    this.#handlers.onClosed(this)
  }
}
