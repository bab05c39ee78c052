// An MQTT publisher that sets and removes the retained messages of topics of its own, and the model of what is retained then.
// Rule: what it was acknowledged last is retained, or something that it sent after that and nobody has acknowledged.

import assert from 'node:assert/strict'
import { RawClient } from '../../bench/mqtt/client.js'
import { publishPacket } from '../../bench/mqtt/packets.js'
import type { Random } from './random.js'

const TOPICS = 150
const UNACKNOWLEDGED = 16
const REMOVALS = 0.3
const PACKET_IDS = 60_000
const RETAIN = 0x01

/** Payload of a retained message; undefined: there is none. */
export type Retained = string | undefined

interface Sent {
  readonly topic: string
  readonly payload: Retained
}

export class Retainer {
  readonly name: string
  readonly #random: Random
  /** what may be retained now, by topic: what was acknowledged last, and what came after it */
  readonly #possible = new Map<string, readonly Retained[]>()
  /** payloads whose PUBACK came */
  readonly acknowledged: string[] = []
  /** in the order in which they were sent; the first `#answered` have their PUBACK */
  #sent: Sent[] = []
  #answered = 0
  #numbered = 0
  #flowing = false
  #client: RawClient | undefined
  #lost: Promise<void> = Promise.resolve()
  #onAnswer: () => void = () => undefined

  constructor(name: string, random: Random) {
    this.name = name
    this.#random = random
    for (let i = 0; i < TOPICS; i++) this.#possible.set(`kept/${name}/${i}`, [undefined])
  }

  get topics(): Iterable<string> {
    return this.#possible.keys()
  }

  /** Publishes as fast as its window lets it. */
  async flow(port: number): Promise<void> {
    await this.#connect(port)
    this.#flowing = true
    this.#pump()
  }

  /** Sends nothing new; resolves when all is acknowledged, or the connection is gone: `lost` says which. */
  async stop(lost: boolean): Promise<void> {
    this.#flowing = false
    if (lost) return this.#lost
    await this.#allAnswered()
    await this.#client?.end()
  }

  /** Removes all of them. */
  async clear(port: number): Promise<void> {
    await this.#connect(port)
    for (const topic of this.topics) this.#send({ topic, payload: undefined })
    await this.#allAnswered()
    await this.#client?.end()
  }

  /** What is retained must be what the model says; that is what it says from now on. */
  check(actual: ReadonlyMap<string, string>): void {
    for (const [topic, possible] of this.#possible) {
      const state = actual.get(topic)
      assert.ok(possible.includes(state), `${topic}: ${state} is retained, not ${possible.join(' or ')}`)
      this.#possible.set(topic, [state])
    }
  }

  async #connect(port: number): Promise<void> {
    this.#sent = []
    this.#answered = 0
    let onLost: () => void = () => undefined
    this.#lost = new Promise(resolve => (onLost = resolve))
    this.#client = await RawClient.connect(port, `fault-${this.name}`, {
      onPuback: packetId => {
        assert.equal(packetId, idOf(this.#answered), `${this.name}: PUBACKs keep the order of the PUBLISHes`)
        this.#onPuback()
      },
      onTraffic: () => {
        this.#onAnswer()
        this.#pump()
      },
      onLost: () => {
        this.#flowing = false
        onLost()
      }
    })
  }

  /** What was sent before it to the same topic is not retained any more. */
  #onPuback(): void {
    const sent = this.#sent[this.#answered++]
    assert.ok(sent, `${this.name}: a PUBACK for what was sent`)
    const { topic, payload } = sent
    if (payload !== undefined) this.acknowledged.push(payload)
    const later = this.#sent.slice(this.#answered).filter(each => each.topic === topic)
    this.#possible.set(topic, [payload, ...later.map(each => each.payload)])
  }

  #pump(): void {
    while (this.#flowing && this.#sent.length - this.#answered < UNACKNOWLEDGED) {
      const topic = `kept/${this.name}/${this.#random.between(0, TOPICS - 1)}`
      const removes = this.#random.chance(REMOVALS)
      this.#send({ topic, payload: removes ? undefined : `${this.name} ${this.#numbered++}` })
    }
  }

  #send(sent: Sent): void {
    const packetId = idOf(this.#sent.length)
    this.#sent.push(sent)
    const { topic, payload } = sent
    this.#possible.set(topic, [...(this.#possible.get(topic) ?? []), payload])
    const packet = publishPacket(topic, Buffer.from(payload ?? ''), 1, packetId)
    packet[0] = (packet[0] ?? 0) | RETAIN
    this.#client?.write(packet)
  }

  #allAnswered(): Promise<void> {
    return new Promise(resolve => {
      this.#onAnswer = () => {
        if (this.#answered === this.#sent.length) resolve()
      }
      this.#onAnswer()
    })
  }
}

const idOf = (index: number): number => (index % PACKET_IDS) + 1
