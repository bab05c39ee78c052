// One connection of a run without sockets, as its client has it: what it sends, reads and acknowledges.
// Rule: what the gateway writes lies there until the client reads it, and is gone with the socket.

import assert from 'node:assert/strict'
import type { InboundPacket, OutboundPacket, Qos } from '../../plugin/mqtt/packets.js'
import { CoreBridge } from './core-bridge.js'
import type { CoreHost } from './core-host.js'
import type { Asked, Attempt, Change, History, Publication, Receipt } from './history.js'
import type { Manner } from './steps.js'

export interface CoreLinkOptions {
  readonly history: History
  readonly host: CoreHost
  readonly clientId: string
  readonly clean: boolean
  manner: Manner
  /** the client's connection before this one */
  readonly before: CoreLink | undefined
}

export class CoreLink {
  readonly #options: CoreLinkOptions
  readonly #attempt: Attempt
  readonly #bridge: CoreBridge
  readonly #written: OutboundPacket[] = []
  readonly #unanswered = new Map<number, Publication>()
  readonly #requests = new Map<number, readonly Change[]>()
  readonly #unacknowledged: Receipt[] = []
  #accepted = false
  #packetId: number

  constructor(options: CoreLinkOptions) {
    const { history, host, clientId, clean, before } = options
    this.#options = options
    this.#packetId = before === undefined ? 0 : before.#packetId
    if (before !== undefined) history.ending(before.connection, 'takeover')
    this.#attempt = history.connect(clientId, 'mqtt', clean)
    this.#bridge = new CoreBridge({
      ...{ host, clientId, clean, before: before?.bridge },
      write: packet => {
        if (this.connection.endedAt === undefined) this.#written.push(packet)
      }
    })
    this.#send({ cmd: 'connect', protocolVersion: 4, clientId, clean, keepAliveS: 0 })
  }

  get connection(): Attempt['connection'] {
    return this.#attempt.connection
  }

  get usable(): boolean {
    return this.#accepted && !this.#bridge.over && this.connection.ending === undefined
  }

  get bridge(): CoreBridge {
    return this.#bridge
  }

  /** Publications with QoS 1 that nobody has answered. */
  get unanswered(): ReadonlyMap<number, Publication> {
    return this.#unanswered
  }

  /** Something waits: work of the host, or what the client has not read. */
  get busy(): boolean {
    return this.#bridge.busy || this.#written.length > 0
  }

  publish(topic: string, qos: 0 | 1): void {
    const { history } = this.#options
    const fields = { topic, qos, retain: false, empty: false, publisher: this.connection }
    this.#publish(history.publish(fields), ++this.#packetId, false)
  }

  change(filters: readonly Asked[]): void {
    const changes = this.#options.history.change(this.connection, filters)
    const packetId = ++this.#packetId
    this.#requests.set(packetId, changes)
    const granted = filters.flatMap(([filter, qos]) => (qos === undefined ? [] : [{ filter, qos }]))
    if (granted.length > 0) this.#send({ cmd: 'subscribe', packetId, filters: granted })
    else this.#send({ cmd: 'unsubscribe', packetId, filters: filters.map(([filter]) => filter) })
  }

  /** The host does the first of what it was asked. */
  proceed(): void {
    this.#bridge.proceed()
  }

  /** The client reads the first of what was written. */
  read(): void {
    const packet = this.#written.shift()
    if (packet !== undefined) this.#onPacket(packet)
    else if (this.#bridge.over) this.#options.history.ended(this.connection)
  }

  acknowledge(count = Infinity): void {
    for (const receipt of this.#unacknowledged.splice(0, count)) this.#acknowledge(receipt)
  }

  /** From now on what comes is acknowledged as it is read. */
  hurry(): void {
    this.#options.manner = 'at once'
    this.#bridge.give({ type: 'uncongested' })
    this.acknowledge()
  }

  congest(full: boolean): void {
    if (this.#accepted) this.#bridge.give({ type: full ? 'congested' : 'uncongested' })
  }

  disconnect(): void {
    this.#options.history.ending(this.connection, 'disconnect')
    this.#send({ cmd: 'disconnect' })
  }

  /** The socket goes, with what was written and not read. */
  vanish(): void {
    this.#cut('vanish')
    this.#bridge.give({ type: 'disconnected' })
  }

  /** The gateway goes, and writes nothing down. */
  kill(): void {
    this.#cut('kill')
    this.#bridge.kill()
  }

  /** The link to the queue is lost, and made again. */
  lose(): void {
    this.#bridge.lose()
  }

  #cut(reason: 'vanish' | 'kill'): void {
    const { history } = this.#options
    history.ending(this.connection, reason)
    history.ended(this.connection)
    this.#written.length = 0
  }

  #send(packet: InboundPacket): void {
    this.#bridge.receive(packet)
  }

  #onPacket(packet: OutboundPacket): void {
    const { history } = this.#options
    switch (packet.cmd) {
      case 'connack':
        history.accepted(this.#attempt, packet.sessionPresent)
        this.#accepted = true
        if (packet.sessionPresent) this.#sendAgain()
        return
      case 'publish':
        return this.#onPublish(packet)
      case 'puback': {
        const publication = this.#unanswered.get(packet.packetId) ?? assert.fail('a PUBACK for nothing')
        this.#unanswered.delete(packet.packetId)
        if (publication.sender === this.connection) publication.end = history.now()
        return
      }
      case 'suback':
      case 'unsuback': {
        const end = history.now()
        for (const change of this.#requests.get(packet.packetId) ?? assert.fail('an answer to nothing'))
          change.end = end
        return
      }
      default:
        assert.fail(`${packet.cmd} from a server`)
    }
  }

  #onPublish({ topic, payload, qos, dup, retain, packetId }: OutboundPacket & { cmd: 'publish' }): void {
    const receipt: Receipt = {
      ...{
        at: this.#options.history.now(),
        connection: this.connection,
        topic,
        dup,
        retained: retain,
        packetId
      },
      ...{ number: Number(Buffer.from(payload)), qos: qos satisfies Qos },
      ...{ acknowledgedAt: undefined, surelyAcknowledgedAt: undefined }
    }
    this.connection.session?.receipts.push(receipt)
    if (qos === 0) return
    if (this.#options.manner === 'at once') this.#acknowledge(receipt)
    else this.#unacknowledged.push(receipt)
  }

  #acknowledge(receipt: Receipt): void {
    if (this.#bridge.over || receipt.packetId === undefined) return
    receipt.acknowledgedAt = this.#options.history.now()
    receipt.surelyAcknowledgedAt = receipt.acknowledgedAt
    this.#send({ cmd: 'puback', packetId: receipt.packetId })
  }

  #sendAgain(): void {
    for (const [packetId, publication] of this.#options.before?.unanswered ?? []) {
      publication.attempts += 1
      publication.sender = this.connection
      publication.end = undefined
      this.#publish(publication, packetId, true)
    }
  }

  #publish(publication: Publication, packetId: number, dup: boolean): void {
    const { topic, qos, number, retain } = publication
    const payload = Buffer.from(String(number))
    if (qos > 0) this.#unanswered.set(packetId, publication)
    this.#send({ cmd: 'publish', topic, payload, qos, retain, dup, packetId: qos > 0 ? packetId : undefined })
  }
}
