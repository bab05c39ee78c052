// One connection of a run without sockets: a session core, what a gateway does around it, and its client.
// Rule: nothing happens at once that takes time in a gateway: what the host must do is work that the run calls for, and what the
// core writes lies there until the client reads it.

import assert from 'node:assert/strict'
import type { InboundPacket, OutboundPacket, Qos } from '../../plugin/mqtt/packets.js'
import { Session } from '../../plugin/session/session.js'
import type { Action, SessionEvent, SessionOptions } from '../../plugin/session/types.js'
import { BridgeError } from '../../plugin/errors.js'
import { WINDOW, type CoreHost, type Mailbox } from './core-host.js'
import type { Attempt, Change, History, Publication, Receipt } from './history.js'
import type { Manner } from './steps.js'

const UID = new Uint8Array(16)
const OPTIONS: SessionOptions = {
  connectTimeoutMs: 10_000,
  receiveMaximum: WINDOW,
  bufferedBytes: 1 << 20,
  topicLevels: 10,
  topicBytes: 100,
  publishRetries: 0,
  makeClientId: () => 'made-up',
  makeUid: () => UID
}
const NOW = 0
const TAKEN_OVER = new BridgeError('sessionTakenOver', 'another connection')

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
  readonly #core = new Session(OPTIONS, NOW)
  readonly #events: SessionEvent[] = []
  readonly #work: (() => void)[] = []
  readonly #written: OutboundPacket[] = []
  readonly #unanswered = new Map<number, Publication>()
  readonly #requests = new Map<number, readonly Change[]>()
  readonly #unacknowledged: Receipt[] = []
  #handling = false
  #mailbox: Mailbox | undefined
  #over = false
  #accepted = false
  #packetId: number

  constructor(options: CoreLinkOptions) {
    const { history, clientId, clean, before } = options
    this.#options = options
    this.#packetId = before === undefined ? 0 : before.#packetId
    if (before !== undefined) history.ending(before.connection, 'takeover')
    this.#attempt = history.connect(clientId, 'mqtt', clean)
    this.#send({ cmd: 'connect', protocolVersion: 4, clientId, clean, keepAliveS: 0 })
  }

  get connection(): Attempt['connection'] {
    return this.#attempt.connection
  }

  get usable(): boolean {
    return this.#accepted && !this.#over && this.connection.ending === undefined
  }

  /** Publications with QoS 1 that nobody has answered. */
  get unanswered(): ReadonlyMap<number, Publication> {
    return this.#unanswered
  }

  /** Something waits: work of the host, or what the client has not read. */
  get busy(): boolean {
    return this.#work.length > 0 || this.#written.length > 0
  }

  publish(topic: string, qos: 0 | 1): void {
    const { history } = this.#options
    const fields = { topic, qos, retain: false, empty: false, publisher: this.connection }
    this.#publish(history.publish(fields), ++this.#packetId, false)
  }

  change(filters: readonly (readonly [filter: string, qos: 0 | 1 | undefined])[]): void {
    const start = this.#options.history.now()
    const changes = filters.map(([filter, qos]): Change => ({ filter, qos, start, end: undefined }))
    this.connection.session?.changes.push(...changes)
    const packetId = ++this.#packetId
    this.#requests.set(packetId, changes)
    const granted = filters.flatMap(([filter, qos]) => (qos === undefined ? [] : [{ filter, qos }]))
    if (granted.length > 0) this.#send({ cmd: 'subscribe', packetId, filters: granted })
    else this.#send({ cmd: 'unsubscribe', packetId, filters: filters.map(([filter]) => filter) })
  }

  /** The host does the first of what it was asked. */
  proceed(): void {
    this.#work.shift()?.()
  }

  /** The client reads the first of what was written. */
  read(): void {
    const packet = this.#written.shift()
    if (packet !== undefined) this.#onPacket(packet)
    else if (this.#over) this.#options.history.ended(this.connection)
  }

  acknowledge(count = Infinity): void {
    for (const receipt of this.#unacknowledged.splice(0, count)) this.#acknowledge(receipt)
  }

  /** From now on what comes is acknowledged as it is read. */
  hurry(): void {
    this.#options.manner = 'at once'
    this.#give({ type: 'uncongested' })
    this.acknowledge()
  }

  congest(full: boolean): void {
    if (this.#accepted) this.#give({ type: full ? 'congested' : 'uncongested' })
  }

  disconnect(): void {
    this.#options.history.ending(this.connection, 'disconnect')
    this.#send({ cmd: 'disconnect' })
  }

  /** The socket goes, with what was written and not read. */
  vanish(): void {
    this.#cut('vanish')
    this.#give({ type: 'disconnected' })
  }

  /** The gateway goes, and writes nothing down. */
  kill(): void {
    this.#cut('kill')
    if (this.#over) return
    this.#over = true
    this.#work.length = 0
    this.#mailbox?.detach(true)
    this.#leave()
  }

  /** The link to the queue is lost, and made again. */
  lose(): void {
    if (this.#over || this.#mailbox?.durable !== true) return
    this.#mailbox.detach(true)
    this.#give({ type: 'returned' })
    this.#attach(this.#mailbox)
  }

  #cut(reason: 'vanish' | 'kill'): void {
    const { history } = this.#options
    history.ending(this.connection, reason)
    history.ended(this.connection)
    this.#written.length = 0
  }

  // --- the gateway ------------------------------------------------------------------------------------------------

  /** One event at a time. */
  #give(event: SessionEvent): void {
    this.#events.push(event)
    if (this.#handling || this.#over) return
    this.#handling = true
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift())
      for (const action of this.#core.handle(next, NOW)) this.#perform(action)
    this.#handling = false
  }

  #send(packet: InboundPacket): void {
    this.#give({ type: 'packet', packet })
  }

  #perform(action: Action): void {
    switch (action.type) {
      case 'write':
        if (this.connection.endedAt === undefined) this.#written.push(action.packet)
        return
      case 'settle':
        return action.delivery.settle?.(action.outcome)
      case 'open':
        this.#work.push(() => this.#open())
        return
      case 'send':
        this.#work.push(() => {
          this.#options.host.publish(action.publication)
          this.#work.push(() =>
            this.#give({ type: 'outcome', token: action.token, result: { type: 'accepted' } })
          )
        })
        return
      case 'subscribe':
      case 'unsubscribe':
        this.#work.push(() => this.#answer(action))
        return
      case 'close':
        return this.#close()
      case 'dropped':
      case 'warn':
        return
      default:
        return action satisfies never
    }
  }

  #open(): void {
    const { before, host, clientId, clean } = this.#options
    if (this.#over) return
    before?.giveWay()
    const { mailbox, present } = host.open(clientId, clean)
    this.#mailbox = mailbox
    this.#give({ type: 'opened', sessionPresent: present })
    if (present) this.#give({ type: 'restored', inFlight: mailbox.inFlight })
    this.#attach(mailbox)
  }

  /** It ends; what the host was asked is done, and nobody hears of it. */
  giveWay(): void {
    // one that was never accepted has ended nobody
    if (!this.#accepted) this.#options.before?.giveWay()
    this.#give({ type: 'end', error: TAKEN_OVER })
    while (this.#work.length > 0) this.proceed()
  }

  #attach(mailbox: Mailbox): void {
    mailbox.attach(delivery => this.#give({ type: 'delivery', delivery }))
  }

  #answer(action: Action & { type: 'subscribe' | 'unsubscribe' }): void {
    if (this.#over) return
    const filters = this.#mailbox?.filters
    if (action.type === 'subscribe') for (const { filter, qos } of action.filters) filters?.set(filter, qos)
    else for (const filter of action.filters) filters?.delete(filter)
    const codes =
      action.type === 'subscribe' ? action.filters.map(({ qos }) => qos) : action.filters.map(() => 0)
    this.#work.push(() => this.#give({ type: 'answered', token: action.token, codes }))
  }

  #close(): void {
    if (this.#over) return
    this.#over = true
    const { unacknowledged } = this.#core
    if (this.#mailbox?.durable === true) {
      this.#mailbox.inFlight = unacknowledged.map(({ id, packetId }) => ({
        id: id ?? assert.fail('no id'),
        packetId
      }))
      for (const { delivery } of unacknowledged) delivery?.settle?.('failed')
    }
    this.#mailbox?.detach(false)
    this.#leave()
  }

  #leave(): void {
    const { host, clientId } = this.#options
    if (this.#mailbox?.durable === false) host.close(clientId, this.#mailbox)
  }

  // --- the client -------------------------------------------------------------------------------------------------

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
    if (this.#over || receipt.packetId === undefined) return
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
