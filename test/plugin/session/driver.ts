// A session under test with a clock of its own: gives it packets and events, hands back what it wants done.

import assert from 'node:assert/strict'
import type { FailureCode } from '../../../plugin/errors.js'
import type { Publication } from '../../../plugin/messages/publication.js'
import type {
  ConnectPacket,
  InboundPacket,
  OutboundPacket,
  PublishPacket,
  Qos
} from '../../../plugin/mqtt/packets.js'
import { Session } from '../../../plugin/session/session.js'
import type { Action, OutboundDelivery, SessionEvent, SessionOptions } from '../../../plugin/session/types.js'

export const UID = new Uint8Array(16).fill(7)

export const OPTIONS: SessionOptions = {
  connectTimeoutMs: 10_000,
  receiveMaximum: 2,
  bufferedBytes: 4096,
  topicLevels: 8,
  topicBytes: 64,
  publishRetries: 2,
  makeClientId: () => 'made-up',
  makeUid: () => UID
}

export const CONNECT: ConnectPacket = {
  cmd: 'connect',
  protocolVersion: 4,
  clientId: 'client',
  clean: true,
  keepAliveS: 60
}

export const ACCEPTED = { type: 'accepted' } as const

type Sends = Action & { type: 'send' }

export class Driver {
  now = 1000
  readonly session: Session

  constructor(options: Partial<SessionOptions> = {}) {
    this.session = new Session({ ...OPTIONS, ...options }, this.now)
  }

  /** A session whose client got CONNACK 0. */
  static connected(options: Partial<SessionOptions> = {}, connect: Partial<ConnectPacket> = {}): Driver {
    const driver = new Driver(options)
    driver.packet({ ...CONNECT, ...connect })
    const actions = driver.give({ type: 'opened', sessionPresent: false })
    assert.deepEqual(written(actions), [{ cmd: 'connack', returnCode: 0, sessionPresent: false }])
    return driver
  }

  give(event: SessionEvent): readonly Action[] {
    return this.session.handle(event, this.now)
  }

  packet(packet: InboundPacket): readonly Action[] {
    return this.give({ type: 'packet', packet })
  }

  /** A PUBLISH; the `send` that it leads to. */
  publish(packet: Partial<PublishPacket>): Sends {
    return sendOf(this.packet(publish(packet)))
  }

  deliver(publication: Partial<Publication>, more: Partial<OutboundDelivery> = {}): readonly Action[] {
    return this.give({ type: 'delivery', delivery: delivery(publication, more) })
  }
}

export function publish(changes: Partial<PublishPacket>): PublishPacket {
  return {
    cmd: 'publish',
    topic: 'a/b',
    payload: Buffer.from('payload'),
    qos: changes.packetId === undefined ? 0 : 1,
    retain: false,
    dup: false,
    ...changes
  }
}

export function delivery(
  publication: Partial<Publication>,
  more: Partial<OutboundDelivery> = {}
): OutboundDelivery {
  const whole: Publication = {
    topic: 'a/b',
    payload: Buffer.from('payload'),
    qos: 0,
    retain: false,
    dup: false,
    ...publication
  }
  return { publication: whole, grantedQos: 2, size: whole.topic.length + whole.payload.length, ...more }
}

export function subscribe(packetId: number, ...filters: [filter: string, qos: Qos][]): InboundPacket {
  return { cmd: 'subscribe', packetId, filters: filters.map(([filter, qos]) => ({ filter, qos })) }
}

export function sendOf(actions: readonly Action[]): Sends {
  const [action] = actions
  assert.equal(actions.length, 1)
  assert.ok(action?.type === 'send')
  return action
}

export function written(actions: readonly Action[]): OutboundPacket[] {
  return actions.flatMap(action => (action.type === 'write' ? [action.packet] : []))
}

/** Payloads of the PUBLISHes that are written. */
export function payloads(actions: readonly Action[]): string[] {
  return written(actions).flatMap(packet =>
    packet.cmd === 'publish' ? [Buffer.from(packet.payload).toString()] : []
  )
}

/** The connection ends for this reason, told after at most what else `before` names. */
export function assertCloses(
  actions: readonly Action[],
  code: FailureCode | undefined,
  ...before: Action['type'][]
): void {
  assert.deepEqual(
    actions.map(action => action.type),
    [...before, 'close']
  )
  const last = actions.at(-1)
  assert.ok(last?.type === 'close')
  assert.equal(last.error?.code, code)
}
