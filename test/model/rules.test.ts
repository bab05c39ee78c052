// The model itself: what it demands, what it allows, and that it finds what is wrong. Histories are made by hand.

import assert from 'node:assert/strict'
import { covers, deliveryFaults, missing } from './delivery-rules.js'
import { History, type Connection, type Publication, type Receipt, type Session } from './history.js'
import { missingRetained, retainedFaults } from './retained-rules.js'

/** A history with clients that publish, subscribe and receive as they are told; everything is answered at once. */
class Told {
  readonly history = new History()
  readonly publisher = this.come('publisher', { clean: true })

  come(clientId: string, { clean = false, present = false } = {}): Connection {
    const attempt = this.history.connect(clientId, 'mqtt', clean)
    this.history.accepted(attempt, present)
    return attempt.connection
  }

  leave(connection: Connection): void {
    this.history.ending(connection, 'vanish')
    this.history.ended(connection)
  }

  subscribe(connection: Connection, filter: string, qos: 0 | 1 = 1): void {
    this.#change(connection, filter, qos)
  }

  unsubscribe(connection: Connection, filter: string): void {
    this.#change(connection, filter, undefined)
  }

  publish(topic: string, more: Partial<Pick<Publication, 'qos' | 'retain' | 'empty'>> = {}): Publication {
    const { publisher } = this
    const fields = { topic, qos: 1, retain: false, empty: false, publisher, ...more } as const
    const publication = this.history.publish(fields)
    if (publication.qos > 0) publication.end = this.history.now()
    return publication
  }

  receive(
    connection: Connection,
    { topic, number, empty }: Publication,
    more: Partial<Receipt> = {}
  ): Receipt {
    const receipt: Receipt = {
      ...{ at: this.history.now(), connection, topic, number: empty ? undefined : number },
      ...{ qos: 1, dup: false, retained: false, packetId: 1 },
      ...{ acknowledgedAt: undefined, surelyAcknowledgedAt: undefined, ...more }
    }
    sessionOf(connection).receipts.push(receipt)
    return receipt
  }

  owed(connection: Connection): number[] {
    return missing(this.history, sessionOf(connection)).map(({ number }) => number)
  }

  faults(connection: Connection): readonly string[] {
    const session = sessionOf(connection)
    return [...deliveryFaults(this.history, session), ...retainedFaults(this.history, session)]
  }

  #change(connection: Connection, filter: string, qos: 0 | 1 | undefined): void {
    const start = this.history.now()
    sessionOf(connection).changes.push({ filter, qos, start, end: this.history.now() })
  }
}

const sessionOf = ({ session }: Connection): Session => session ?? assert.fail('it was not accepted')

describe('the model of what must arrive', () => {
  let told: Told
  beforeEach(() => {
    told = new Told()
  })

  const assertFault = (connection: Connection, words: RegExp): void => {
    const faults = told.faults(connection)
    assert.equal(faults.length, 1, faults.join('; '))
    assert.match(faults[0] ?? '', words)
  }

  /** A client with a durable session that has `a/#`, and one publication that it got. */
  function served(): { readonly client: Connection; readonly publication: Publication } {
    const client = told.come('x')
    told.subscribe(client, 'a/#')
    const publication = told.publish('a/b')
    told.receive(client, publication)
    return { client, publication }
  }

  it('knows which filters cover a topic', () => {
    const covered = (topic: string): string[] =>
      ['a', 'a/b', 'a/+', '+/b', '#', 'a/#', 'a/b/#', '+', '+/+/+'].filter(filter => covers(filter, topic))
    assert.deepEqual(covered('a/b'), ['a/b', 'a/+', '+/b', '#', 'a/#', 'a/b/#'])
    assert.deepEqual(covered('a'), ['a', '#', 'a/#', '+'])
    assert.deepEqual(covered('a/b/c'), ['#', 'a/#', 'a/b/#', '+/+/+'])
  })

  it('demands what was accepted during a subscription, and nothing else', () => {
    const client = told.come('x')
    told.publish('a')
    told.subscribe(client, 'a')
    const during = told.publish('a')
    told.publish('a', { qos: 0 })
    told.publish('b')
    told.unsubscribe(client, 'a')
    told.publish('a')
    assert.deepEqual(told.owed(client), [during.number])
    told.receive(client, during)
    assert.deepEqual(told.owed(client), [])
    assert.deepEqual(told.faults(client), [])
  })

  it('does not demand what a request without an answer may have changed', () => {
    const client = told.come('x')
    told.subscribe(client, 'a')
    sessionOf(client).changes.push({ filter: 'a', qos: undefined, start: told.history.now(), end: undefined })
    told.publish('a')
    assert.deepEqual(told.owed(client), [])
  })

  it('demands nothing of before a CONNECT that may have ended the session', () => {
    const { client } = served()
    told.publish('a/b')
    told.leave(client)
    told.history.connect('x', 'mqtt', true)
    const back = told.come('x', { present: true })
    assert.deepEqual(told.owed(back), [])
    told.subscribe(back, 'a/#')
    const later = told.publish('a/b')
    assert.deepEqual(told.owed(back), [later.number])
  })

  it('finds a session present that is wrong', () => {
    const { client } = served()
    told.leave(client)
    told.come('x')
    told.come('y', { present: true })
    assert.equal(told.history.faults.length, 2)
  })

  it('finds what nobody subscribed to, or nobody published', () => {
    const client = told.come('x')
    const receipt = told.receive(client, told.publish('a'))
    assertFault(client, /without a subscription/)
    sessionOf(client).receipts.splice(0, 1, { ...receipt, number: 7 })
    assertFault(client, /nobody published/)
  })

  it('finds a QoS that is not the lower of both', () => {
    const client = told.come('x')
    told.subscribe(client, 'a', 0)
    told.receive(client, told.publish('a'))
    assertFault(client, /with QoS 1, not 0/)
  })

  it('finds DUP at the first time', () => {
    const { client } = served()
    told.receive(client, told.publish('a/b'), { dup: true })
    assertFault(client, /DUP, the first time/)
  })

  it('finds what comes again over the same connection', () => {
    const { client, publication } = served()
    told.receive(client, publication, { dup: true })
    assertFault(client, /twice over/)
  })

  for (const [how, more, words] of [
    ['without DUP', {}, /without DUP/],
    ['with another packet id', { dup: true, packetId: 2 }, /packet id 2, not 1/]
  ] as const)
    it(`finds what comes again ${how}, and what not`, () => {
      const { client, publication } = served()
      told.leave(client)
      const back = told.come('x', { present: true })
      told.receive(back, publication, more)
      assertFault(back, words)
      sessionOf(back).receipts.pop()
      told.receive(back, publication, { dup: true })
      assert.deepEqual(told.faults(back), [])
    })

  it('finds what comes again after its acknowledgement', () => {
    const { client, publication } = served()
    for (const receipt of sessionOf(client).receipts) receipt.surelyAcknowledgedAt = told.history.now()
    told.leave(client)
    const back = told.come('x', { present: true })
    told.receive(back, publication, { dup: true })
    assertFault(back, /after its acknowledgement/)
  })

  it('finds what is overtaken', () => {
    const client = told.come('x')
    told.subscribe(client, '#')
    const [first, second] = [told.publish('a'), told.publish('a')]
    told.receive(client, second)
    told.receive(client, first, { packetId: 2 })
    assertFault(client, /publication 1 to a after publication 2/)
  })

  it('demands what was retained when a subscription began, and no more', () => {
    told.publish('a', { retain: true })
    const last = told.publish('a', { retain: true })
    told.publish('b', { retain: true })
    told.publish('b', { retain: true, empty: true })
    const client = told.come('x')
    told.subscribe(client, '#')
    assert.equal(missingRetained(told.history, sessionOf(client)).length, 1)
    told.receive(client, last, { retained: true })
    assert.deepEqual(missingRetained(told.history, sessionOf(client)), [])
    assert.deepEqual(told.faults(client), [])
  })

  it('finds a copy of what was replaced, of what was not retained, and of what comes too often', () => {
    const [replaced, live] = [told.publish('a', { retain: true }), told.publish('a')]
    const retained = told.publish('a', { retain: true })
    const client = told.come('x')
    told.subscribe(client, 'a')
    told.receive(client, retained, { retained: true })
    assert.deepEqual(told.faults(client), [])
    for (const [publication, words] of [
      [replaced, /replaced before/],
      [live, /nobody had retained/],
      [retained, /2 copies/]
    ] as const) {
      told.receive(client, publication, { retained: true })
      assertFault(client, words)
      sessionOf(client).receipts.pop()
    }
  })

  it('finds a copy that is older than what came live, unless what is newer comes after it into a queue', () => {
    const [inbox, durable] = [told.come('x', { clean: true }), told.come('y')]
    const old = told.publish('a', { retain: true })
    for (const client of [inbox, durable]) told.subscribe(client, 'a')
    const removal = told.publish('a', { retain: true, empty: true })
    for (const client of [inbox, durable]) {
      told.receive(client, removal)
      told.receive(client, old, { retained: true, packetId: 2 })
      assertFault(client, /its removal/)
    }
    told.receive(durable, removal, { packetId: 3 })
    assert.deepEqual(told.faults(durable), [])
  })
})
