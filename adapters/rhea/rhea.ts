// What we use of rhea's inside that its declarations leave out. Rule: whatever reaches into rhea is typed here or in the file that
// guards it, so that a new version of rhea is checked in few places.

import rhea from 'rhea'
import type { EventEmitter } from 'node:events'
import type { ConnectionOptions, Container } from 'rhea'

/** Reads at `position`; nothing is checked: scan the bytes first. */
export interface Reader {
  readonly buffer: Buffer
  position: number
  read_uint(width: 1 | 2 | 4): number
  read_bytes(count: number): Buffer
  skip(count: number): void
}

/** Writes at `position`; grows. */
export interface Writer {
  readonly buffer: Buffer
  position: number
  ensure(length: number): void
  write_uint(value: number, width: 1 | 2 | 4): void
  write_bytes(bytes: Buffer): void
  toBuffer(): Buffer
}

/** A value with its type, as rhea reads and writes it. */
export interface RheaTyped {
  readonly type: { readonly typecode: number }
  readonly value: unknown
  readonly descriptor?: RheaTyped
}

/** A field that may be missing: rhea says undefined at the end of a list, and null within. */
export type Field<T> = T | null | undefined

export interface RheaError {
  readonly condition: Field<string>
  readonly description?: Field<string>
}

export interface RheaFrame<P> {
  readonly channel: number
  readonly performative: P
  readonly payload?: Buffer | undefined
}

export interface RheaOpen {
  readonly container_id: Field<string>
  readonly max_frame_size: Field<number>
  readonly idle_time_out: Field<number>
}

export interface RheaBegin {
  readonly remote_channel: Field<number>
  incoming_window: Field<number>
  next_outgoing_id: Field<number>
  handle_max: Field<number>
}

/** Source or target. */
export interface RheaTerminus {
  readonly address: Field<string>
  readonly durable: Field<number>
  readonly expiry_policy: Field<string>
  readonly timeout: Field<number>
  readonly dynamic: Field<boolean>
  readonly distribution_mode?: Field<string>
  readonly default_outcome?: Field<RheaTyped>
  readonly capabilities: Field<string | readonly string[]>
}

export interface RheaAttach {
  name: string
  handle: number
  role: boolean
  snd_settle_mode: Field<number>
  rcv_settle_mode: Field<number>
  /** typed before link.on_attach, a RheaTerminus after it */
  source: unknown
  target: unknown
  initial_delivery_count: Field<number>
  max_message_size: Field<number>
}

export interface RheaFlow {
  readonly next_incoming_id: Field<number>
  readonly incoming_window: Field<number>
  readonly handle: Field<number>
  readonly delivery_count: Field<number>
  readonly link_credit: Field<number>
  readonly drain: Field<boolean>
  readonly echo: Field<boolean>
}

export interface RheaTransfer {
  readonly handle: number
  readonly delivery_id: Field<number>
  readonly delivery_tag: Field<Buffer>
  readonly message_format: Field<number>
  readonly settled: Field<boolean>
  readonly more: Field<boolean>
  readonly aborted: Field<boolean>
}

export interface RheaDisposition {
  readonly role: boolean
  readonly first: number
  readonly last: Field<number>
  readonly settled: Field<boolean>
  readonly state: Field<RheaTyped>
}

export interface RheaDetach {
  readonly handle: number
  closed: Field<boolean>
  readonly error: Field<RheaError>
}

export interface RheaEnd {
  error: Field<RheaError>
}

interface EndpointState {
  readonly local_open: boolean
  readonly remote_open: boolean
  open(): boolean
  close(): boolean
  remote_closed(): boolean
}

/** An unsettled delivery in a session's ring. */
export interface RheaDelivery {
  id: number
  link: RheaLink
  settled: boolean
  state: RheaTyped | undefined
  remote_settled: boolean
}

export interface RheaIncomingDelivery extends RheaDelivery {
  /** ours: payloads that have come, and their bytes */
  frames: Buffer[]
  size: number
  readonly format: Field<number>
}

/** A delivery whose first transfer has come, and nothing of its payload. */
export function incomingDelivery(id: number, link: RheaLink, format: Field<number>): RheaIncomingDelivery {
  return { id, link, settled: false, state: undefined, remote_settled: false, frames: [], size: 0, format }
}

export interface RheaIncoming {
  /** rhea's ring, in whose place we put our own */
  deliveries: { available(): number; pop_if(): number }
  next_transfer_id: number
  next_delivery_id: number | undefined
  on_transfer(frame: RheaFrame<RheaTransfer>, link: RheaLink): void
  on_disposition(fields: RheaDisposition): void
  update(delivery: RheaIncomingDelivery, settled: boolean, state: RheaTyped | undefined): void
  /** settled, and not written yet */
  readonly updated: readonly RheaIncomingDelivery[]
  /** Writes what is settled, and a flow where the window has shrunk. */
  process(session: RheaSession): void
}

/** What rhea's session asks of its queue of transfers. */
export interface RheaOutgoing {
  readonly deliveries: { available(): number }
  readonly window: number
  readonly next_transfer_id: number
  process(): void
}

export interface RheaLink {
  readonly name: string
  readonly state: EndpointState
  readonly local: { readonly handle: number; readonly attach: RheaAttach; readonly detach: RheaDetach }
  readonly remote: { handle: number | undefined; attach?: RheaAttach; detach?: RheaDetach }
  credit: number
  delivery_count: number
  issue_flow: boolean
  on_attach(frame: RheaFrame<RheaAttach>): void
  set_source(fields: object): void
  set_target(fields: object): void
  flow(credit: number): void
  close(error?: RheaError): void
  detach(): void
  remove(): void
  _process(): void
  _get_drain(): boolean
}

export interface RheaSession {
  readonly state: EndpointState
  readonly incoming: RheaIncoming
  outgoing: RheaOutgoing
  readonly links: Record<string, RheaLink>
  readonly local: { readonly channel: number; readonly begin: RheaBegin }
  readonly remote: { readonly handles: Record<number, RheaLink>; readonly begin: RheaBegin }
  create_sender(key: string): RheaLink
  create_receiver(key: string): RheaLink
  remove_link(link: RheaLink): void
  close(error?: RheaError): void
  _write_flow(): void
  on_begin(frame: RheaFrame<RheaBegin>): void
  on_attach(frame: RheaFrame<RheaAttach>): void
  on_flow(frame: RheaFrame<RheaFlow>): void
  on_transfer(frame: RheaFrame<RheaTransfer>): void
  on_disposition(frame: RheaFrame<RheaDisposition>): void
  on_detach(frame: RheaFrame<RheaDetach>): void
  on_end(frame: RheaFrame<RheaEnd>): void
}

export interface RheaConnection extends EventEmitter {
  readonly state: EndpointState
  readonly remote: { readonly open?: RheaOpen; close?: RheaEnd }
  readonly local: { readonly open: { idle_time_out: number } }
  readonly remote_channel_map: Readonly<Record<number, RheaSession>>
  accept(socket: EventEmitter): void
  input(bytes: Buffer): void
  /** nothing came for twice the idle-time-out */
  idle(): void
  close(error?: RheaError): void
  remove_session(session: RheaSession): void
  remove_all_sessions(): void
  on_open(frame: RheaFrame<RheaOpen>): void
  on_begin(frame: RheaFrame<RheaBegin>): void
  on_close(frame: RheaFrame<RheaEnd>): void
  _process(): void
  _register(): void
}

interface Inside {
  readonly types: {
    readonly Reader: new (buffer: Buffer) => Reader
    readonly Writer: new (buffer: Buffer) => Writer
    wrap_ulong(value: number): RheaTyped
    wrap_list(items: readonly RheaTyped[]): RheaTyped
    wrap_symbol(text: string): RheaTyped
    wrap_string(text: string): RheaTyped
    wrap_symbolic_map(map: object): RheaTyped
    wrap_boolean(value: boolean): RheaTyped
    described(descriptor: RheaTyped, value: RheaTyped): RheaTyped
    unwrap(value: unknown): unknown
  }
}

const inside = rhea as unknown as Inside

export const { Reader, Writer } = inside.types
export const rheaTypes = inside.types

/** A connection of a container of its own, so that no event of one reaches another. */
export function createConnection(options: object): RheaConnection {
  const container: Container = rhea.create_container()
  return container.create_connection(options as ConnectionOptions) as unknown as RheaConnection
}
