// One MQTT connection of a run: sends what it is told to, and writes down what comes of it.
// Rule: every packet of the server is one that was asked for or a PUBLISH; anything else, and an end that nobody wanted, is a fault.

import {
  connect,
  DISCONNECT,
  PINGREQ,
  puback,
  publish,
  subscribe,
  unsubscribe,
  type PublishedPacket,
  type ServerPacket
} from '../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../fixtures/mqtt-socket.js'
import type { Asked, Attempt, Change, EndReason, Publication, Receipt } from './history.js'
import type { Link, LinkOptions } from './link.js'
import { Outstanding } from './outstanding.js'
import type { World } from './world.js'

interface Request {
  readonly cmd: 'suback' | 'unsuback'
  readonly changes: readonly Change[]
}

export class MqttLink implements Link {
  readonly #options: LinkOptions
  readonly #attempt: Attempt
  readonly #socket: MqttSocket
  /** PUBLISH packets without a PUBACK, by packet id */
  readonly #unanswered = new Map<number, Publication>()
  readonly #before: MqttLink | undefined
  readonly #requests = new Map<number, Request>()
  readonly #outstanding = new Outstanding()
  readonly #unacknowledged: Receipt[] = []
  #acknowledged: Receipt[] = []
  #pinged: Receipt[] = []
  #accepted = false
  #ended = false
  #manner: LinkOptions['manner']

  private constructor(socket: MqttSocket, options: LinkOptions, before: MqttLink | undefined) {
    const { history, clientId, clean, manner } = options
    this.#options = options
    this.#manner = manner
    this.#socket = socket
    this.#before = before
    this.#attempt = history.connect(clientId, 'mqtt', clean)
    socket.onNews = () => this.#read()
    this.#outstanding.add('connack')
    socket.send(connect({ clientId, clean }))
  }

  /** `before`: the client's connection before this one. Resolves with undefined where nobody listens. */
  static async open(
    world: World,
    gateway: 0 | 1,
    options: LinkOptions,
    before: MqttLink | undefined
  ): Promise<MqttLink | undefined> {
    const { port, connected } = await world.gateway(gateway)
    const socket = await MqttSocket.open(port).catch(() => undefined)
    if (socket === undefined) return undefined
    options.onOpening()
    const link = new MqttLink(socket, options, before)
    connected.add(link)
    return link
  }

  get connection(): Attempt['connection'] {
    return this.#attempt.connection
  }

  get usable(): boolean {
    return this.#accepted && this.connection.ending === undefined && !this.#ended
  }

  get opened(): Promise<void> {
    return this.#outstanding.over('connack')
  }

  /** Publications with QoS 1 that nobody has answered. */
  get unanswered(): ReadonlyMap<number, Publication> {
    return this.#unanswered
  }

  get gone(): Promise<void> {
    return this.#outstanding.ended
  }

  get waiting(): string | undefined {
    return this.#ended ? undefined : this.#outstanding.names
  }

  publish(publication: Publication, packetId: number): Promise<void> {
    if (publication.qos === 0) {
      this.#socket.send(bytesOf(publication, undefined, false))
      return Promise.resolve()
    }
    this.#unanswered.set(packetId, publication)
    this.#socket.send(bytesOf(publication, packetId, false))
    return this.#outstanding.add(`puback ${packetId}`)
  }

  subscribe(filters: readonly (readonly [string, 0 | 1])[], packetId: number): Promise<void> {
    return this.#request('suback', filters, packetId, subscribe(packetId, ...filters))
  }

  unsubscribe(filters: readonly string[], packetId: number): Promise<void> {
    const changes = filters.map(filter => [filter, undefined] as const)
    return this.#request('unsuback', changes, packetId, unsubscribe(packetId, ...filters))
  }

  acknowledge(): void {
    for (const receipt of this.#unacknowledged.splice(0)) this.#acknowledge(receipt)
  }

  /** What it has not acknowledged it acknowledges, and what comes from now on at once; resolves when its requests are answered. */
  async settle(): Promise<void> {
    this.#manner = 'at once'
    this.acknowledge()
    while (!this.#ended && this.#outstanding.size > 0) await this.#outstanding.quiet()
    if (!this.usable) return
    this.#pinged = this.#acknowledged.splice(0)
    const answered = this.#outstanding.add('pingresp')
    this.#socket.send(PINGREQ)
    await answered
  }

  async disconnect(): Promise<void> {
    this.#options.history.ending(this.connection, 'disconnect')
    this.#socket.send(DISCONNECT)
    await this.#outstanding.ended
  }

  /** A clean session is gone with its connection. */
  remove(): Promise<void> {
    return this.disconnect()
  }

  cut(reason: EndReason): void {
    this.#options.history.ending(this.connection, reason)
    // a gateway that stops closes its connections itself
    if (reason === 'restart' || this.#ended) return
    this.#socket.onNews = undefined
    this.#socket.destroy()
    this.#end()
  }

  #request(cmd: Request['cmd'], filters: readonly Asked[], packetId: number, bytes: Buffer): Promise<void> {
    const changes = this.#options.history.change(this.connection, filters)
    this.#requests.set(packetId, { cmd, changes })
    const answered = this.#outstanding.add(`${cmd} ${packetId}`)
    this.#socket.send(bytes)
    return answered
  }

  #read(): void {
    try {
      for (const packet of this.#socket.takeNow()) this.#onPacket(packet)
    } catch (error) {
      this.#fault(String(error))
    }
    if (this.#socket.closed) this.#end()
  }

  #onPacket(packet: ServerPacket): void {
    switch (packet.cmd) {
      case 'connack':
        return this.#onConnack(packet.returnCode, packet.sessionPresent)
      case 'publish':
        return this.#onPublish(packet)
      case 'puback':
        return this.#onPuback(packet.packetId)
      case 'suback':
        return this.#onAnswer('suback', packet.packetId, packet.codes)
      case 'unsuback':
        return this.#onAnswer('unsuback', packet.packetId, undefined)
      case 'pingresp': {
        const at = this.#options.history.now()
        for (const receipt of this.#pinged.splice(0)) receipt.surelyAcknowledgedAt = at
        if (!this.#outstanding.answer('pingresp')) this.#fault('a PINGRESP that nobody asked for')
        return
      }
      case 'pubrec':
      case 'pubrel':
      case 'pubcomp':
        return this.#fault(`${packet.cmd} without QoS 2`)
      default:
        packet satisfies never
    }
  }

  #onConnack(returnCode: number, sessionPresent: boolean): void {
    if (returnCode !== 0) {
      // whoever stops says so
      if (this.connection.ending === undefined) this.#fault(`CONNACK ${returnCode}`)
      return
    }
    this.#options.history.accepted(this.#attempt, sessionPresent)
    this.#accepted = true
    if (sessionPresent) this.#sendAgain()
    this.#outstanding.answer('connack')
  }

  /** [MQTT3-4.4.0-1] */
  #sendAgain(): void {
    for (const [packetId, publication] of this.#before?.unanswered ?? []) {
      publication.attempts += 1
      publication.sender = this.connection
      publication.end = undefined
      this.#unanswered.set(packetId, publication)
      void this.#outstanding.add(`puback ${packetId}`)
      this.#socket.send(bytesOf(publication, packetId, true))
    }
  }

  #onPublish({ topic, payload, qos, dup, retain, packetId }: PublishedPacket): void {
    const { session } = this.connection
    if (session === undefined) return this.#fault('a PUBLISH before CONNACK')
    const receipt: Receipt = {
      ...{
        at: this.#options.history.now(),
        connection: this.connection,
        topic,
        qos,
        dup,
        retained: retain,
        packetId
      },
      ...{ number: payload === '' ? undefined : Number(payload) },
      ...{ acknowledgedAt: undefined, surelyAcknowledgedAt: undefined }
    }
    session.receipts.push(receipt)
    if (qos > 0 && this.#manner === 'at once') this.#acknowledge(receipt)
    else if (qos > 0) this.#unacknowledged.push(receipt)
    this.#options.onReceipt()
  }

  #onPuback(packetId: number): void {
    const publication = this.#unanswered.get(packetId)
    if (publication === undefined) return this.#fault(`PUBACK ${packetId} for nothing`)
    const [first] = this.#unanswered.keys()
    if (first !== packetId) this.#fault(`PUBACK ${packetId} before ${first}`)
    this.#unanswered.delete(packetId)
    if (publication.sender === this.connection) publication.end = this.#options.history.now()
    this.#outstanding.answer(`puback ${packetId}`)
  }

  #onAnswer(cmd: Request['cmd'], packetId: number, codes: readonly number[] | undefined): void {
    const request = this.#requests.get(packetId)
    if (request?.cmd !== cmd) return this.#fault(`${cmd} ${packetId} for nothing`)
    this.#requests.delete(packetId)
    const end = this.#options.history.now()
    for (const [index, change] of request.changes.entries()) {
      const code = codes === undefined ? change.qos : codes[index]
      if (code === change.qos) change.end = end
      else if (this.connection.ending === undefined)
        this.#fault(`${code} for ${change.filter}, not ${change.qos}`)
    }
    this.#outstanding.answer(`${cmd} ${packetId}`)
  }

  #acknowledge(receipt: Receipt): void {
    if (this.#ended || receipt.packetId === undefined) return
    receipt.acknowledgedAt = this.#options.history.now()
    this.#acknowledged.push(receipt)
    this.#socket.send(puback(receipt.packetId))
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    if (this.connection.ending === undefined) this.#fault('ended for no reason')
    this.#options.history.ended(this.connection)
    this.#outstanding.end()
  }

  #fault(text: string): void {
    this.#options.history.fault(`${this.connection.name}: ${text}`)
  }
}

const bytesOf = (
  { topic, number, empty, retain }: Publication,
  packetId: number | undefined,
  dup: boolean
): Buffer =>
  publish(topic, empty ? '' : String(number), packetId === undefined ? { retain } : { packetId, dup, retain })
