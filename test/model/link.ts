// What a run asks of a client's connection, whatever protocol it speaks.
// Rule: what resolves does so when it is answered, or when the connection has ended.

import type { Connection, History, Publication } from './history.js'
import type { Manner } from './steps.js'
import type { Connected } from './world.js'

export interface LinkOptions {
  readonly history: History
  readonly clientId: string
  readonly clean: boolean
  readonly manner: Manner
  /** the connection is about to ask for the session */
  readonly onOpening: () => void
  /** something came */
  readonly onReceipt: () => void
}

export interface Link extends Connected {
  readonly connection: Connection
  /** it was accepted, and nobody wants it to end */
  readonly usable: boolean
  /** its CONNECT is answered */
  readonly opened: Promise<void>
  readonly gone: Promise<void>
  /** what it waits for, in words; undefined: it has ended */
  readonly waiting: string | undefined
  publish(publication: Publication, packetId: number): Promise<void>
  subscribe(filters: readonly (readonly [filter: string, qos: 0 | 1])[], packetId: number): Promise<void>
  unsubscribe(filters: readonly string[], packetId: number): Promise<void>
  acknowledge(): void
  settle(): Promise<void>
  disconnect(): Promise<void>
  /** Ends, and leaves no session. */
  remove(): Promise<void>
}
