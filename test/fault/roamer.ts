// An MQTT client with a durable session that comes and goes while others publish: it says DISCONNECT, or vanishes, or comes a second
// time, stays away for a while, and comes back through whichever gateway lets it in; it subscribes and unsubscribes meanwhile.
// Rule: its session is always there; it acknowledges in order, some of it later.

import assert from 'node:assert/strict'
import type { PublishedPacket } from '../fixtures/mqtt-bytes.js'
import { DurableLink } from './durable-link.js'
import type { Random } from './random.js'
import { Spans, type Progress } from './spans.js'

/** the filter that it has at times */
const SIDE = 'side/#'
const MOST_HELD = 8
const PATIENCE_MS = 20_000

export interface Receipt {
  readonly topic: string
  readonly payload: string
  readonly dup: boolean
  readonly retained: boolean
  /** the connection that it came over */
  readonly link: object
  /** Surroundings.epoch */
  readonly epoch: number
  /** the server has read its PUBACK for sure, in this epoch, when nothing was broken */
  surelyAcknowledged: number | undefined
}

/** What goes on around it. */
export interface Surroundings {
  readonly ports: readonly number[]
  /** goes up when something is killed, and when it is there again: odd in between */
  readonly epoch: number
  /** resolves when what was killed is there again */
  readonly mended: Promise<void>
}

export class Roamer {
  readonly clientId: string
  readonly #always: readonly string[]
  readonly #random: Random
  readonly #around: Surroundings
  /** what came in this round */
  receipts: Receipt[] = []
  /** of this round's publisher to SIDE */
  spans = new Spans()
  #progress: () => Progress = () => ({ sent: 0, acknowledged: 0 })
  /** undefined: a request was not answered */
  #atSide: boolean | undefined = false
  #link: DurableLink | undefined
  #settling = false
  #living: Promise<void> = Promise.resolve()
  #looks: (() => void)[] = []

  constructor(clientId: string, always: readonly string[], random: Random, around: Surroundings) {
    this.clientId = clientId
    this.#always = always
    this.#random = random
    this.#around = around
  }

  /** The filters that it has. */
  get filters(): readonly string[] {
    return this.#atSide === true ? [...this.#always, SIDE] : this.#always
  }

  /** Makes the session. */
  async begin(): Promise<void> {
    const link = await this.#connect(this.#around.ports[0] ?? 0, false)
    assert.ok(link, `${this.clientId}: the first connection`)
    const granted = await link.subscribe(...this.#always.map(filter => [filter, 1] as const))
    assert.ok(granted, `${this.clientId}: the first SUBSCRIBE`)
    await link.disconnect()
  }

  /** Comes and goes from now on. `progress`: of the one that publishes to SIDE. */
  live(progress: () => Progress): void {
    this.receipts = []
    this.spans = new Spans()
    this.#progress = progress
    if (this.#atSide === true) {
      this.spans.subscribing(progress())
      this.spans.subscribed(progress())
    }
    this.#settling = false
    this.#living = this.#roam()
    this.#living.catch(() => undefined) // stay() tells
  }

  /** Is here, and stays from now on; it acknowledges all. */
  async stay(): Promise<void> {
    this.#settling = true
    this.#look()
    await this.#living
    if (this.#link === undefined) await this.#come()
    this.#link?.acknowledge()
  }

  /** Resolves when `last`, which was sent after it said that it stays, has come; then it goes. */
  async leaveAfter(last: string): Promise<void> {
    const link = this.#link
    assert.ok(link, `${this.clientId}: it is connected`)
    const seen = (): boolean => this.receipts.some(({ payload }) => payload === last)
    await this.#until(() => seen() || link.closed, `no '${last}'`)
    if (this.#atSide === undefined) await this.#toggle()
    assert.ok(await link.ping(), `${this.clientId}: the connection is still there`)
    await link.disconnect()
  }

  /** The session ends. */
  async end(): Promise<void> {
    const link = await DurableLink.open(this.#around.ports[1] ?? 0, {
      onPublish: ({ topic }) => assert.fail(`${this.clientId}: ${topic} without a session`),
      onClosed: () => undefined
    })
    assert.equal(await link?.connect(this.clientId, true), false)
    await link?.disconnect()
  }

  async #roam(): Promise<void> {
    while (!this.#settling) {
      if (this.#link === undefined) await this.#come()
      if (this.#atSide === undefined || this.#random.chance(0.5)) await this.#toggle()
      const enough = this.receipts.length + this.#random.between(10, 150)
      await this.#until(
        () => this.#settling || this.#link === undefined || this.receipts.length >= enough,
        'nothing to do'
      )
      if (!this.#settling && this.#link !== undefined) await this.#leave(this.#link)
    }
  }

  async #leave(link: DurableLink): Promise<void> {
    const manner = this.#random.between(0, 3)
    // comes a second time while it is here
    if (manner === 0) return this.#come()
    if (manner === 1) link.vanish()
    else {
      if (this.#random.chance(0.5)) await this.#acknowledgeSurely(link)
      if (!link.closed) await link.disconnect()
    }
    if (this.#random.chance(0.4)) await this.#until(() => this.#settling, 'no end of being away')
  }

  async #acknowledgeSurely(link: DurableLink): Promise<void> {
    link.acknowledge()
    const acknowledged = this.receipts.filter(receipt => receipt.link === link)
    const { epoch } = this.#around
    if (!(await link.ping()) || this.#around.epoch !== epoch || isBroken(epoch)) return
    for (const receipt of acknowledged) receipt.surelyAcknowledged = epoch
  }

  /** Comes through whichever gateway lets it in. */
  async #come(): Promise<void> {
    for (;;) {
      const { epoch, ports } = this.#around
      const order = this.#random.chance(0.5) ? ports : ports.toReversed()
      for (const port of order) if ((await this.#connect(port, true)) !== undefined) return
      const broken = isBroken(this.#around.epoch)
      assert.ok(broken || this.#around.epoch !== epoch, `${this.clientId}: nobody lets it in`)
      if (broken) await this.#around.mended
    }
  }

  async #connect(port: number, sessionPresent: boolean): Promise<DurableLink | undefined> {
    const link = await DurableLink.open(port, {
      onPublish: (packet, from) => this.#onPublish(packet, from),
      onClosed: closed => {
        if (this.#link === closed) this.#link = undefined
        this.#look()
      }
    })
    const present = await link?.connect(this.clientId, false)
    if (link === undefined || present === undefined) {
      await link?.ended
      return undefined
    }
    assert.equal(present, sessionPresent, `${this.clientId}: session present`)
    const before = this.#link
    this.#link = link.closed ? undefined : link
    // the server closes the former one
    await before?.ended
    return link
  }

  #onPublish({ topic, payload, dup, retain }: PublishedPacket, link: DurableLink): void {
    const { epoch } = this.#around
    this.receipts.push({
      ...{ topic, payload, dup, retained: retain, link, epoch },
      surelyAcknowledged: undefined
    })
    if (this.#settling || link.held >= MOST_HELD || this.#random.chance(0.3)) link.acknowledge()
    this.#look()
  }

  /** Has SIDE if it had not, or nobody knows, and has it no more if it had. */
  async #toggle(): Promise<void> {
    const link = this.#link
    if (link === undefined) return
    const leaves = this.#atSide === true
    this.#atSide = undefined
    if (leaves) this.spans.unsubscribing(this.#progress())
    else this.spans.subscribing(this.#progress())
    const done = leaves ? await link.unsubscribe(SIDE) : await link.subscribe([SIDE, 1])
    if (!done) return
    if (leaves) this.spans.unsubscribed(this.#progress())
    else this.spans.subscribed(this.#progress())
    this.#atSide = !leaves
  }

  #until(isSo: () => boolean, otherwise: string): Promise<void> {
    if (isSo()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const { clientId, receipts } = this
      const where = (): string => (this.#link === undefined ? 'away' : 'connected')
      const timer = setTimeout(
        () => reject(new Error(`${clientId}: ${otherwise} after ${receipts.length} receipts, ${where()}`)),
        PATIENCE_MS
      )
      const look = (): void => {
        if (!isSo()) return
        clearTimeout(timer)
        this.#looks = this.#looks.filter(each => each !== look)
        resolve()
      }
      this.#looks.push(look)
    })
  }

  #look(): void {
    for (const look of [...this.#looks]) look()
  }
}

const isBroken = (epoch: number): boolean => epoch % 2 === 1
