// What happened in one run: facts with the moment at which they were seen, and no judgement.
// Rule: a moment is a number that only grows. What somebody asked for takes effect at some moment of its span, from when it was sent
// to when its answer came; without an answer it may take effect at any moment after its start, or never.

import type { Qos } from '../fixtures/mqtt-bytes.js'

export interface Span {
  readonly start: number
  /** undefined: no answer came */
  end: number | undefined
}

/** The publisher's name for what it publishes. A removal of a retained message has no payload, so nobody can tell which one it got. */
export interface Publication extends Span {
  readonly number: number
  readonly topic: string
  readonly qos: Qos
  readonly retain: boolean
  /** the empty payload */
  readonly empty: boolean
  /** the connection that published it first */
  readonly publisher: Connection
  /** how often it was sent: after a publisher came back, again */
  attempts: number
  /** the connection that sent it last: only what is answered to it says that it is over */
  sender: Connection
}

/** A subscription that begins, or that ends. */
export interface Change extends Span {
  readonly filter: string
  /** undefined: it ends */
  readonly qos: Qos | undefined
}

/** `qos` undefined: the subscription ends */
export type Asked = readonly [filter: string, qos: 0 | 1 | undefined]

export interface Receipt {
  readonly at: number
  readonly connection: Connection
  readonly topic: string
  /** undefined: the payload was empty */
  readonly number: number | undefined
  readonly qos: Qos
  readonly dup: boolean
  /** a copy of a retained message */
  readonly retained: boolean
  readonly packetId: number | undefined
  acknowledgedAt: number | undefined
  /** from here on the other side has surely seen the acknowledgement */
  surelyAcknowledgedAt: number | undefined
}

/** Why a connection ended: the client said so, its socket was destroyed, another one took its id, or what served it is gone. */
export type EndReason = 'disconnect' | 'vanish' | 'takeover' | 'kill' | 'restart' | 'crash'

export interface Connection {
  readonly name: string
  readonly clientId: string
  readonly protocol: 'mqtt' | 'amqp'
  readonly clean: boolean
  readonly start: number
  /** since it was accepted */
  session: Session | undefined
  acceptedAt: number | undefined
  /** somebody wanted it to end */
  ending: { readonly at: number; readonly reason: EndReason } | undefined
  endedAt: number | undefined
}

/** What outlives a connection, or dies with it. */
export interface Session {
  readonly clientId: string
  readonly durable: boolean
  readonly connections: Connection[]
  readonly changes: Change[]
  readonly receipts: Receipt[]
  /** attempts to end it; one without an answer may have taken away any part of it */
  readonly doubts: Span[]
  goneAt: number | undefined
}

interface Client {
  /** there is a durable session */
  exists: 'no' | 'maybe' | 'yes'
  session: Session | undefined
}

export class History {
  readonly publications: Publication[] = []
  readonly sessions: Session[] = []
  readonly connections: Connection[] = []
  /** moments at which the host crashed */
  readonly crashes: number[] = []
  /** the same, and those at which a gateway, a service, a link to a queue or all of them went */
  readonly deaths: number[] = []
  /** what was wrong at once, when it was seen */
  readonly faults: string[] = []
  readonly #clients = new Map<string, Client>()
  #now = 0

  now(): number {
    return ++this.#now
  }

  fault(text: string): void {
    this.faults.push(text)
  }

  publish(fields: Pick<Publication, 'topic' | 'qos' | 'retain' | 'empty' | 'publisher'>): Publication {
    const number = this.publications.length + 1
    const sender = fields.publisher
    const publication = { ...fields, number, start: this.now(), end: undefined, attempts: 1, sender }
    this.publications.push(publication)
    return publication
  }

  /** A connection asks for a session. */
  connect(clientId: string, protocol: Connection['protocol'], clean: boolean): Attempt {
    const client = this.#client(clientId)
    const before = client.exists
    const start = this.now()
    const connection: Connection = {
      ...{ name: `${clientId}#${this.connections.length + 1}`, clientId, protocol, clean, start },
      ...{ session: undefined, acceptedAt: undefined, ending: undefined, endedAt: undefined }
    }
    this.connections.push(connection)
    const doubt: Span = { start, end: undefined }
    if (clean) client.session?.doubts.push(doubt)
    // until the answer: a clean one may have ended it, the other kind may have made it
    if (before === (clean ? 'yes' : 'no')) client.exists = 'maybe'
    return { connection, before, doubt }
  }

  /** The session that the connection has from now on. */
  accepted({ connection, before, doubt }: Attempt, sessionPresent: boolean): Session {
    const { clientId, clean, name } = connection
    const client = this.#client(clientId)
    const expected = clean ? false : before === 'maybe' ? sessionPresent : before === 'yes'
    if (sessionPresent !== expected) this.fault(`${name}: session present is ${String(sessionPresent)}`)
    doubt.end = this.now()
    const known = sessionPresent ? client.session : undefined
    if (known === undefined && client.session !== undefined) client.session.goneAt = doubt.end
    const session = known ?? this.#session(clientId, !clean)
    client.exists = clean ? 'no' : 'yes'
    client.session = clean ? undefined : session
    // an attempt of before that had no answer has taken away what it could
    for (const each of session.doubts) each.end ??= doubt.end
    connection.session = session
    connection.acceptedAt = doubt.end
    session.connections.push(connection)
    return session
  }

  /** A connection asks for subscriptions to begin, with their QoS, or to end. */
  change(connection: Connection, filters: readonly Asked[]): Change[] {
    const start = this.now()
    const changes = filters.map(([filter, qos]): Change => ({ filter, qos, start, end: undefined }))
    connection.session?.changes.push(...changes)
    return changes
  }

  /** Client ids that have, or may have, a durable session. */
  remaining(): string[] {
    return [...this.#clients].filter(([, { exists }]) => exists !== 'no').map(([clientId]) => clientId)
  }

  /** `connection` is wanted to end now, for the first time. */
  ending(connection: Connection, reason: EndReason): void {
    connection.ending ??= { at: this.now(), reason }
  }

  ended(connection: Connection): void {
    connection.endedAt ??= this.now()
    if (connection.session?.durable === false) connection.session.goneAt ??= connection.endedAt
  }

  #client(clientId: string): Client {
    let client = this.#clients.get(clientId)
    if (client === undefined) this.#clients.set(clientId, (client = { exists: 'no', session: undefined }))
    return client
  }

  #session(clientId: string, durable: boolean): Session {
    const session = {
      ...{ clientId, durable, connections: [], changes: [], receipts: [], doubts: [], goneAt: undefined }
    }
    this.sessions.push(session)
    return session
  }
}

export interface Attempt {
  readonly connection: Connection
  /** whether there was a durable session when it was made */
  readonly before: Client['exists']
  readonly doubt: Span
}
