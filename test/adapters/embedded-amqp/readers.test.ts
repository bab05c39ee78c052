import assert from 'node:assert/strict'
import { listenAmqp, type AmqpListener } from '../../../adapters/rhea/listener/listener.js'
import type { LinkClosed, Outcome, ServedReader } from '../../../plugin/host.js'
import { Signal } from '../../contract/signal.js'
import { ACCEPTED, attachReceiver, detach, disposition, flow } from '../../fixtures/amqp-frames.js'
import { message, subjectOf } from '../../fixtures/amqp-links.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'
import { Bench, recordingLog } from '../embedded/broker-fixture.js'

const ADDRESS = '$retain.a/b'

describe('AMQP clients that receive from an address that the plugin serves', () => {
  let bench: Bench
  let listener: AmqpListener
  let client: RawAmqp
  let signal: Signal
  let readers: ServedReader[]
  let outcomes: Outcome[]
  let closed: LinkClosed[]
  /** what a reader gets when it has credit; what is left stays */
  let stock: string[]

  const noted =
    <T>(list: T[]) =>
    (what: T): void => {
      list.push(what)
      signal.notify()
    }
  const until = <T>(read: () => T | undefined | false, what: string): Promise<T> =>
    signal.until(
      () => read() || undefined,
      () => what
    )

  function pump(reader: ServedReader): void {
    while (reader.credit > 0 && stock.length > 0) reader.send(message(stock.shift() ?? ''), noted(outcomes))
  }

  beforeEach(async () => {
    signal = new Signal(5000)
    readers = []
    outcomes = []
    closed = []
    stock = []
    bench = await Bench.open({})
    listener = await listenAmqp(bench.space, { host: '127.0.0.1', port: 0, log: recordingLog(bench.lines) })
    await bench.space.serveReaders('$retain.', reader => {
      if (reader.address.endsWith('secret')) {
        return reader.close({ condition: 'amqp:unauthorized-access', description: 'not for you' })
      }
      noted(readers)(reader)
      reader.accept({
        onCredit: () => pump(reader),
        onClosed: noted(closed),
        onDrain: async () => pump(reader)
      })
    })
    client = await RawAmqp.open(listener.port)
  })

  afterEach(async () => {
    client.close()
    await listener.close()
    await bench.close()
  })

  it('get what there is, and the end of a drain after it, though credit and drain come with the attach', async () => {
    stock.push('retained')
    client.write(attachReceiver(ADDRESS, { name: 'r' }), flow(5, { drain: true }))
    const { fields } = await client.next('attach')
    assert.deepEqual([fields[0], fields[2]], ['r', false])
    assert.equal(subjectOf((await client.next('transfer')).payload), 'retained')
    assert.deepEqual((await client.next('flow')).fields.slice(5, 9), [5, 0, null, true])
    client.write(disposition(0, ACCEPTED))
    await until(() => outcomes[0], 'the outcome')
    assert.deepEqual(outcomes, [{ type: 'accepted' }])
    const [reader] = readers
    assert.deepEqual([reader?.address, reader?.name, reader?.credit], [ADDRESS, 'r', 0])
  })

  it('have a drain answered that finds nothing', async () => {
    client.write(attachReceiver(ADDRESS), flow(1, { drain: true }))
    assert.deepEqual((await client.next('flow')).fields.slice(5, 9), [1, 0, null, true])
  })

  it('get no more than their credit, however much there is', async () => {
    stock.push(...Array.from({ length: 300 }, (_, i) => `m${i}`))
    client.write(attachReceiver(ADDRESS), flow(200))
    for (let i = 0; i < 200; i++) assert.equal(subjectOf((await client.next('transfer')).payload), `m${i}`)
    client.write(flow(0, { deliveryCount: 200, nextIncomingId: 200, echo: true }))
    await client.next('flow')
    assert.equal(stock.length, 100)
    client.write(flow(100, { deliveryCount: 200, nextIncomingId: 200 }))
    for (let i = 200; i < 300; i++) assert.equal(subjectOf((await client.next('transfer')).payload), `m${i}`)
    assert.ok(!client.frames.some(({ name }) => name === 'detach'))
  })

  it('accept what they asked to have settled', async () => {
    stock.push('settled')
    client.write(attachReceiver(ADDRESS, { sndSettleMode: 1 }), flow(1))
    const { fields } = await client.next('transfer')
    assert.equal(fields[4], true)
    await until(() => outcomes[0], 'the outcome')
    assert.deepEqual(outcomes, [{ type: 'accepted' }])
  })

  it('do not get a message that is longer than they take, and its sender is told', async () => {
    stock.push('x'.repeat(2000), 'short')
    client.write(attachReceiver(ADDRESS, { maxMessageSize: 1000 }), flow(2))
    assert.equal(subjectOf((await client.next('transfer')).payload), 'short')
    const [outcome] = outcomes
    assert.ok(outcome?.type === 'rejected')
    assert.equal(outcome.condition, 'amqp:link:message-size-exceeded')
  })

  it('are told why their link is refused, or ends', async () => {
    client.write(attachReceiver('$retain.secret', { handle: 1 }))
    assert.equal((await client.next('attach')).fields[5], null)
    const refusal = (await client.next('detach')).fields[2] as unknown[]
    assert.equal(refusal[0], 'amqp:unauthorized-access')
    client.write(detach(1), attachReceiver('$retained', { handle: 2 }))
    const nowhere = (await client.next('detach')).fields[2] as unknown[]
    assert.equal(nowhere[0], 'amqp:not-found')
    stock.push('last')
    client.write(detach(2), attachReceiver(ADDRESS), flow(1))
    await client.next('transfer')
    readers[0]?.close({ condition: 'amqp:resource-deleted', description: 'it is over' })
    const end = (await client.next('detach')).fields[2] as unknown[]
    assert.deepEqual(end.slice(0, 2), ['amqp:resource-deleted', 'it is over'])
    assert.deepEqual(closed, [])
  })

  it('are known to be gone when they detach, and when they vanish', async () => {
    client.write(attachReceiver(ADDRESS, { handle: 0 }), attachReceiver(ADDRESS, { handle: 1 }))
    await until(() => readers.length === 2, 'two links')
    client.write(detach(0))
    await until(() => closed.length === 1, 'the end of a link')
    client.close()
    await until(() => closed.length === 2, 'the end of the other')
    assert.deepEqual(
      closed.map(({ cause }) => cause),
      ['clean', 'lost']
    )
    for (const { credit } of readers) assert.equal(credit, 0)
  })
})
