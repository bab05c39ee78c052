// A receiver that reads what is in a durable queue at that moment, and takes nothing.
// Rule: in order, each once; what others take meanwhile may be missing. Settling ends the delivery, nothing else.

import type { LinkError, Message } from '../../plugin/host.js'
import { Backlog } from './backlog.js'
import type { CoreDelivery } from '../rhea/listener/bridge.js'
import { remainingOf, type Attachment, type ConsumerOptions } from './consumer.js'
import type { Entry } from './entry.js'

export interface BrowserSource {
  /** what ids of deliveries start with */
  readonly idPrefix: string
  /** what is in memory, in order */
  readonly entries: readonly Entry[]
  /** Reads the next ones from the store; nothing: there are no more. */
  readonly more: () => Promise<readonly Entry[]>
  readonly now: () => number
  /** Reading failed. */
  readonly onUnreadable: (error: unknown) => void
  readonly onDetached: (browser: Browser) => void
}

export class Browser implements Attachment {
  readonly #source: BrowserSource
  readonly #options: ConsumerOptions
  readonly #backlog = new Backlog<Entry>()
  #credit: number
  #complete = false
  #reading = false
  #scheduled = false
  #attached = true
  #drains: (() => void)[] = []

  constructor(source: BrowserSource, options: ConsumerOptions) {
    this.#source = source
    this.#options = options
    this.#credit = options.window
    for (const entry of source.entries) this.#backlog.push(entry)
    this.#schedule()
  }

  addCredit(credit: number): void {
    this.#credit = Math.max(0, this.#credit + credit)
    this.#schedule()
  }

  drain(): Promise<void> {
    return new Promise(done => {
      this.#drains.push(done)
      this.#schedule()
    })
  }

  detach(): void {
    if (!this.#attached) return
    this.#attached = false
    this.#backlog.clear()
    this.#source.onDetached(this)
    this.#endDrains()
  }

  end(error: LinkError): void {
    if (!this.#attached) return
    this.detach()
    this.#options.onEnded(error)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#run()
    })
  }

  #run(): void {
    while (this.#attached && this.#credit > 0) {
      const entry = this.#backlog.shift()
      if (entry === undefined) break
      if (!entry.gone && remainingOf(entry, this.#source.now()) !== 0) this.#deliver(entry)
    }
    if (this.#attached && this.#credit > 0 && !this.#complete) void this.#read()
    else this.#endDrains()
  }

  async #read(): Promise<void> {
    if (this.#reading) return
    this.#reading = true
    try {
      const entries = await this.#source.more()
      this.#complete = entries.length === 0
      if (this.#attached) for (const entry of entries) this.#backlog.push(entry)
    } catch (error) {
      this.#complete = true
      if (this.#attached) this.#source.onUnreadable(error)
    }
    this.#reading = false
    this.#run()
  }

  #deliver(entry: Entry): void {
    this.#credit--
    this.#options.onDelivery(
      new Copy(entry, this.#source.idPrefix, () => {
        if (this.#options.window > 0) this.#credit++
        this.#schedule()
      })
    )
  }

  #endDrains(): void {
    if (this.#drains.length === 0) return
    this.#credit = 0
    for (const done of this.#drains.splice(0)) done()
  }
}

class Copy implements CoreDelivery {
  readonly #entry: Entry
  #onSettled: (() => void) | undefined
  readonly message: Message
  readonly id: string
  readonly deliveryCount: number

  constructor(entry: Entry, idPrefix: string, onSettled: () => void) {
    this.#entry = entry
    this.#onSettled = onSettled
    this.message = entry.message
    this.id = `${idPrefix}${entry.sequence}`
    this.deliveryCount = entry.message.deliveryCount + entry.failures
  }

  remainingMs(now: number): number | undefined {
    return remainingOf(this.#entry, now)
  }

  settle(): void {
    this.#onSettled?.()
    this.#onSettled = undefined
  }
}
