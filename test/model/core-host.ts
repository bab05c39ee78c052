// A host of plain objects for session cores: filters, queues with a window, and the lists of what was in flight.
// Rule: it does nothing by itself. What comes back to a queue goes to its old place, and its count says whether it was in vain.

import type { InFlightEntry } from '../../plugin/messages/in-flight.js'
import type { Publication } from '../../plugin/messages/publication.js'
import type { OutboundDelivery } from '../../plugin/session/types.js'
import type { Qos } from '../fixtures/mqtt-bytes.js'
import { covers } from './delivery-rules.js'

/** Deliveries of a queue without an outcome. */
export const WINDOW = 3

export type Deliver = (delivery: OutboundDelivery) => void

interface Entry {
  readonly id: string
  readonly publication: Publication
  failures: number
  taken: boolean
}

/** Where a client's publications go: what dies with its connection delivers at once, the other kind keeps them. */
export class Mailbox {
  readonly filters = new Map<string, Qos>()
  readonly durable: boolean
  inFlight: readonly InFlightEntry[] = []
  #entries: Entry[] = []
  #deliver: Deliver | undefined
  #taken = 0
  #numbers = 0
  #link = 0

  constructor(durable: boolean) {
    this.durable = durable
  }

  get empty(): boolean {
    return this.#entries.length === 0
  }

  take(publication: Publication): void {
    const grantedQos = this.#granted(publication)
    if (grantedQos === undefined) return
    if (this.durable) {
      this.#entries.push({ id: `d${++this.#numbers}`, publication, failures: 0, taken: false })
      return this.#pump()
    }
    this.#deliver?.({ publication, grantedQos, size: publication.topic.length + publication.payload.length })
  }

  attach(deliver: Deliver): void {
    this.#deliver = deliver
    this.#pump()
  }

  /** `inVain`: what was not settled counts as delivered. */
  detach(inVain: boolean): void {
    this.#deliver = undefined
    this.#link += 1
    this.#taken = 0
    for (const entry of this.#entries) {
      if (entry.taken && inVain) entry.failures += 1
      entry.taken = false
    }
  }

  #granted({ topic }: Publication): Qos | undefined {
    const granted = [...this.filters].filter(([filter]) => covers(filter, topic)).map(([, qos]) => qos)
    return granted.length === 0 ? undefined : granted.includes(1) ? 1 : 0
  }

  #pump(): void {
    while (this.durable && this.#deliver !== undefined && this.#taken < WINDOW) {
      const entry = this.#entries.find(({ taken }) => !taken)
      if (entry === undefined) return
      entry.taken = true
      this.#taken += 1
      this.#deliver(this.#delivery(entry))
    }
  }

  #delivery(entry: Entry): OutboundDelivery {
    const link = this.#link
    const publication = { ...entry.publication, dup: entry.failures > 0 }
    return {
      publication,
      ...{ grantedQos: this.#granted(publication) ?? publication.qos, id: entry.id },
      size: publication.topic.length + publication.payload.length,
      settle: outcome => {
        if (link !== this.#link || !entry.taken) return
        this.#taken -= 1
        entry.taken = false
        if (outcome === 'accepted') this.#entries = this.#entries.filter(each => each !== entry)
        else entry.failures += 1
        this.#pump()
      }
    }
  }
}

export class CoreHost {
  readonly #mailboxes = new Map<string, Mailbox>()

  publish(published: Publication): void {
    // the publisher's DUP is its own [MQTT3-3.3.1-3]
    const publication = { ...published, dup: false }
    for (const mailbox of [...this.#mailboxes.values()]) mailbox.take(publication)
  }

  /** The client's mailbox, made anew where it is clean or there is none that is durable. */
  open(clientId: string, clean: boolean): { readonly mailbox: Mailbox; readonly present: boolean } {
    const known = this.#mailboxes.get(clientId)
    if (!clean && known?.durable === true) return { mailbox: known, present: true }
    const mailbox = new Mailbox(!clean)
    this.#mailboxes.set(clientId, mailbox)
    return { mailbox, present: false }
  }

  close(clientId: string, mailbox: Mailbox): void {
    if (this.#mailboxes.get(clientId) === mailbox) this.#mailboxes.delete(clientId)
  }
}
