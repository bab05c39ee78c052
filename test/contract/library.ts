// The one who serves addresses that begin with a prefix to those who receive: takes every link, and knows what happens on each.
// Rule: nothing is sent but what a case sends.

import assert from 'node:assert/strict'
import type { LinkClosed, Message, Outcome, ServedReader } from '../../plugin/host.js'
import type { ContractFixture } from './fixture.js'
import { Signal, within } from './signal.js'

/** A link as its server has it. */
export class Loan {
  readonly reader: ServedReader
  readonly outcomes: Outcome[] = []
  /** how often the server was asked whether there is more */
  drains = 0
  /** what onDrain waits for */
  sending: Promise<void> = Promise.resolve()
  readonly #signal: Signal
  readonly #closed: LinkClosed[] = []

  constructor(reader: ServedReader, patienceMs: number) {
    this.reader = reader
    this.#signal = new Signal(patienceMs)
  }

  accept(): void {
    this.reader.accept({
      onCredit: () => this.#signal.notify(),
      onClosed: closed => {
        this.#closed.push(closed)
        this.#signal.notify()
      },
      onDrain: () => {
        this.drains++
        return this.sending
      }
    })
  }

  get closings(): number {
    return this.#closed.length
  }

  credit(): Promise<number> {
    return this.#signal.until(
      () => (this.reader.credit > 0 ? this.reader.credit : undefined),
      () => `credit on the link ${this.reader.name}`
    )
  }

  /** Sends all, as credit allows; the outcomes come later. */
  async send(...messages: readonly Message[]): Promise<void> {
    for (const message of messages) {
      await this.credit()
      this.reader.send(message, outcome => {
        this.outcomes.push(outcome)
        this.#signal.notify()
      })
    }
  }

  /** The outcomes, when there are `count`. */
  settled(count: number): Promise<readonly Outcome[]> {
    return this.#signal.until(
      () => (this.outcomes.length >= count ? this.outcomes : undefined),
      () => `${count} outcomes on the link ${this.reader.name}`
    )
  }

  closed(): Promise<LinkClosed> {
    return this.#signal.until(
      () => this.#closed[0],
      () => `the end of the link ${this.reader.name}`
    )
  }
}

export class Library {
  readonly #t: ContractFixture
  readonly #prefix: string
  readonly #signal: Signal
  readonly #loans: Loan[] = []
  #closeable: { close(): Promise<void> } | undefined
  #taken = 0

  private constructor(t: ContractFixture, prefix: string) {
    this.#t = t
    this.#prefix = prefix
    this.#signal = new Signal(t.patienceMs)
  }

  static async open(t: ContractFixture, prefix: string): Promise<Library> {
    const library = new Library(t, prefix)
    const serving = t.space.serveReaders(prefix, reader => {
      const loan = new Loan(reader, t.patienceMs)
      loan.accept()
      library.#loans.push(loan)
      library.#signal.notify()
    })
    library.#closeable = await within(t.patienceMs, `the service of ${prefix}`, serving)
    return library
  }

  /** The next link that attached. */
  next(): Promise<Loan> {
    return this.#signal.until(
      () => (this.#taken < this.#loans.length ? this.#loans[this.#taken++] : undefined),
      () => `link ${this.#taken + 1} to ${this.#prefix}`
    )
  }

  async close(): Promise<void> {
    assert.ok(this.#closeable)
    await within(this.#t.patienceMs, `the end of the service of ${this.#prefix}`, this.#closeable.close())
  }
}
