// What a gateway does around a session core, without sockets: performs its actions on a host of plain objects.
// Rule: nothing happens at once that takes time in a gateway; what the host must do is work that somebody calls for.

import assert from 'node:assert/strict'
import { BridgeError } from '../../plugin/errors.js'
import type { InboundPacket, OutboundPacket } from '../../plugin/mqtt/packets.js'
import { Session } from '../../plugin/session/session.js'
import type { Action, SessionEvent, SessionOptions } from '../../plugin/session/types.js'
import { WINDOW, type CoreHost, type Mailbox } from './core-host.js'

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

export interface CoreBridgeOptions {
  readonly host: CoreHost
  readonly clientId: string
  readonly clean: boolean
  /** of the client's connection before this one */
  readonly before: CoreBridge | undefined
  /** to the client's socket */
  readonly write: (packet: OutboundPacket) => void
}

export class CoreBridge {
  readonly #options: CoreBridgeOptions
  readonly #core = new Session(OPTIONS, NOW)
  readonly #events: SessionEvent[] = []
  readonly #work: (() => void)[] = []
  #handling = false
  #mailbox: Mailbox | undefined
  #over = false

  constructor(options: CoreBridgeOptions) {
    this.#options = options
  }

  /** Nothing of it is left. */
  get over(): boolean {
    return this.#over
  }

  /** The host has something to do. */
  get busy(): boolean {
    return this.#work.length > 0
  }

  /** A packet of the client. */
  receive(packet: InboundPacket): void {
    this.give({ type: 'packet', packet })
  }

  /** One event at a time. */
  give(event: SessionEvent): void {
    this.#events.push(event)
    if (this.#handling || this.#over) return
    this.#handling = true
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift())
      for (const action of this.#core.handle(next, NOW)) this.#perform(action)
    this.#handling = false
  }

  /** The host does the first of what it was asked. */
  proceed(): void {
    this.#work.shift()?.()
  }

  /** The gateway goes, and writes nothing down. */
  kill(): void {
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
    this.give({ type: 'returned' })
    this.#attach(this.#mailbox)
  }

  /** It ends; what the host was asked is done, and nobody hears of it. */
  giveWay(): void {
    // one that was never accepted has ended nobody
    if (this.#mailbox === undefined) this.#options.before?.giveWay()
    this.give({ type: 'end', error: TAKEN_OVER })
    while (this.busy) this.proceed()
  }

  #perform(action: Action): void {
    switch (action.type) {
      case 'write':
        return this.#options.write(action.packet)
      case 'settle':
        return action.delivery.settle?.(action.outcome)
      case 'open':
        this.#work.push(() => this.#open())
        return
      case 'send':
        this.#work.push(() => {
          this.#options.host.publish(action.publication)
          const { token } = action
          this.#work.push(() => this.give({ type: 'outcome', token, result: { type: 'accepted' } }))
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
    this.give({ type: 'opened', sessionPresent: present })
    if (present) this.give({ type: 'restored', inFlight: mailbox.inFlight })
    this.#attach(mailbox)
  }

  #attach(mailbox: Mailbox): void {
    mailbox.attach(delivery => this.give({ type: 'delivery', delivery }))
  }

  #answer(action: Action & { type: 'subscribe' | 'unsubscribe' }): void {
    if (this.#over) return
    const filters = this.#mailbox?.filters
    if (action.type === 'subscribe') for (const { filter, qos } of action.filters) filters?.set(filter, qos)
    else for (const filter of action.filters) filters?.delete(filter)
    const codes =
      action.type === 'subscribe' ? action.filters.map(({ qos }) => qos) : action.filters.map(() => 0)
    this.#work.push(() => this.give({ type: 'answered', token: action.token, codes }))
  }

  #close(): void {
    if (this.#over) return
    this.#over = true
    const { unacknowledged } = this.#core
    if (this.#mailbox?.durable === true) {
      this.#mailbox.inFlight = unacknowledged.map(({ id, packetId }) => ({
        ...{ id: id ?? assert.fail('no id'), packetId }
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
}
