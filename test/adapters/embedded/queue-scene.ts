// One durable queue in a store of its own, for tests that look at what the queue says of itself.
// Rule: what is opened is closed; a crash is what is on disk at that moment, opened again.

import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Attachment } from '../../../adapters/embedded/consumer.js'
import type { DurableQueue } from '../../../adapters/embedded/durable-queue.js'
import { DeliveryTurns } from '../../../adapters/embedded/delivery-turns.js'
import { DurableQueues } from '../../../adapters/embedded/durable-queues.js'
import { bytesOf } from '../../../adapters/embedded/entry.js'
import { EntryLog } from '../../../adapters/embedded/entry-log.js'
import { DEFAULT_LIMITS } from '../../../adapters/embedded/limits.js'
import { Store } from '../../../adapters/embedded/store.js'
import type { Delivery } from '../../../plugin/host.js'
import { crashCopy } from '../../fixtures/crash-copy.js'
import { ACCEPTED, recordingLog, SMALL_QUEUES, turn, type LogLine } from './broker-fixture.js'

export const NAME = '$mqtt.to.c1.publish'

export class QueueScene {
  readonly lines: LogLine[] = []
  readonly #root: string
  readonly #crashed: (() => Promise<void>)[] = []
  #copies = 0
  #directory: string
  #store: Store | undefined
  #entries: EntryLog | undefined
  #queues: DurableQueues | undefined
  #attachment: Attachment | undefined
  held: Delivery[] = []

  constructor(root: string) {
    this.#root = root
    this.#directory = join(root, 'data')
  }

  /** a copy of a store may have come before its note of what is synced, which is a warning */
  get errors(): LogLine[] {
    return this.lines.filter(({ level }) => level === 'error')
  }

  get store(): Store {
    assert.ok(this.#store)
    return this.#store
  }

  get queues(): DurableQueues {
    assert.ok(this.#queues)
    return this.#queues
  }

  get queue(): DurableQueue {
    return this.queues.ensure(NAME)
  }

  async start(): Promise<void> {
    const log = recordingLog(this.lines)
    this.#store = await Store.open(this.#directory, log)
    this.#entries = new EntryLog(this.#store, log)
    const limits = { ...DEFAULT_LIMITS, ...SMALL_QUEUES }
    const options = { entries: this.#entries, limits, now: Date.now, log }
    this.#queues = await DurableQueues.load({ ...options, turns: new DeliveryTurns(), onDeleted() {} })
  }

  async stop(): Promise<void> {
    this.#attachment?.detach(false)
    this.#attachment = undefined
    this.held = []
    await this.#queues?.close()
    await this.#store?.close()
  }

  async crash(): Promise<void> {
    const [queues, store] = [this.queues, this.store]
    this.#crashed.push(async () => {
      await queues.close()
      await store.close()
    })
    this.#attachment = undefined
    this.held = []
    const copy = join(this.#root, `copy-${++this.#copies}`)
    crashCopy(this.#directory, copy)
    this.#directory = copy
    await this.start()
  }

  attach(window: number): void {
    this.#attachment ??= this.queue.attach({
      window,
      onDelivery: delivery => this.held.push(delivery),
      onEnded() {}
    })
  }

  detach(): void {
    this.#attachment?.detach(false)
    this.#attachment = undefined
    this.held = []
  }

  /** Resolves when what is being counted now is counted. */
  async counted(): Promise<void> {
    assert.ok(this.#entries)
    await this.#entries.count(this.queue.id, 1, 0, () => true)
    await turn()
  }

  /** Takes out all there is: messages and bytes. */
  async empty(): Promise<{ messages: number; bytes: number }> {
    this.detach()
    const there = { messages: 0, bytes: 0 }
    const attachment = this.queue.attach({
      window: 0,
      onDelivery: delivery => {
        there.messages++
        there.bytes += bytesOf(delivery.message)
        delivery.settle(ACCEPTED)
      },
      onEnded() {}
    })
    attachment.addCredit(1e6)
    await attachment.drain()
    attachment.detach(false)
    return there
  }

  async close(): Promise<void> {
    await this.stop()
    for (const close of this.#crashed) await close()
    await rm(this.#root, { recursive: true, force: true })
  }
}
