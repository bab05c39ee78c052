import assert from 'node:assert/strict'
import type { EmbeddedConnection } from '../../../adapters/embedded/index.js'
import type { CoreDelivery } from '../../../adapters/rhea/listener/bridge.js'
import { encodeMessage, EncodedMessage } from '../../../adapters/rhea/message.js'
import type { LinkClosed, Message, Outcome, Source } from '../../../plugin/host.js'
import { ACCEPTED, Bench, empty, fleeting, message, receive, send, textOf, turn } from './broker-fixture.js'

const QUEUE = '$mqtt.to.c1.publish'

describe('topics of the embedded host', () => {
  let bench: Bench
  let connection: EmbeddedConnection

  beforeEach(async () => {
    bench = await Bench.open({ limits: { subscriptionBytes: 4000 } })
    connection = await bench.space.connect('service')
  })

  afterEach(() => bench.close())

  interface Inbox {
    readonly source: Source
    readonly deliveries: CoreDelivery[]
    readonly closed: LinkClosed[]
    texts(): string[]
  }

  async function open(filter: string, window = 100, onDelivery?: (text: string) => void): Promise<Inbox> {
    const deliveries: CoreDelivery[] = []
    const closed: LinkClosed[] = []
    const source = await bench.space.source(filter, {
      window,
      onDelivery: delivery => {
        deliveries.push(delivery as CoreDelivery)
        onDelivery?.(textOf(delivery.message))
      },
      onClosed: cause => closed.push(cause)
    })
    return { source, deliveries, closed, texts: () => deliveries.map(({ message: got }) => textOf(got)) }
  }

  const origin = ({ message: got }: CoreDelivery): unknown => got.annotations.get('x-opt-ORIG-ADDRESS')

  it('accepts at once, and costs no disk, where no queue is reached', async () => {
    const { deliveries } = await open('a/+')
    const before = bench.space.statistics.syncs
    const sender = await connection.openSender({ address: 'a/b' })
    const outcomes: Outcome[] = []
    sender.send(message('1'), outcome => outcomes.push(outcome))
    assert.deepEqual([outcomes, deliveries.length], [[ACCEPTED], 1])
    await turn()
    assert.equal(bench.space.statistics.syncs, before)
  })

  it('accepts what reaches a durable queue after one sync for all queues', async () => {
    for (const name of [QUEUE, '$mqtt.to.c2.publish', '$mqtt.to.c3.publish']) {
      await bench.space.queues.create(name)
      await bench.space.routes.add({ filter: 'a/#', queue: name })
      await bench.space.routes.add({ filter: '+/b', queue: name })
    }
    const before = bench.space.statistics.syncs
    assert.deepEqual(await send(connection, 'a/b', message('1')), ACCEPTED)
    assert.equal(bench.space.statistics.syncs, before + 1)
    assert.deepEqual((await empty(connection, QUEUE)).texts(), ['1'])
  })

  it('hands a message on as it is, without encoding it', async () => {
    const { deliveries } = await open('a/b')
    const sent = fleeting('1', { to: 'a/b' })
    await send(connection, 'a/b', sent)
    assert.equal(deliveries[0]?.message, sent)
  })

  it('says where a message was published when its `to` does not', async () => {
    await bench.space.queues.create(QUEUE)
    await bench.space.routes.add({ filter: 'a/b', queue: QUEUE })
    const source = await open('a/+')
    const exactSource = await open('a/b')
    const wild = await receive(connection, 'a/+')
    const exact = await receive(connection, 'a/b')
    const forged = new Map([['x-opt-ORIG-ADDRESS', 'elsewhere']])
    const cases: Message[] = [
      message('none'),
      message('other', { properties: { to: 'x' } }),
      message('forged', { annotations: forged, properties: { to: 'a/b' } }),
      message('same', { properties: { to: 'a/b' } })
    ]
    for (const sent of cases) await send(connection, 'a/b', sent)
    const queued = await empty(connection, QUEUE)
    for (const got of [source.deliveries, wild.deliveries, queued.deliveries]) {
      assert.deepEqual(got.map(origin), ['a/b', 'a/b', 'a/b', undefined])
    }
    // where the address of a receiver is the topic, it says so already
    for (const got of [exactSource.deliveries, exact.deliveries]) {
      assert.deepEqual(got.map(origin), [undefined, undefined, 'elsewhere', undefined])
    }
  })

  it('leaves the bytes of a message alone but for that annotation', async () => {
    const sent = encodeMessage(message('1'))
    const exact = await receive(connection, 'a/b')
    const wild = await receive(connection, '#')
    await send(connection, 'a/b', sent)
    assert.equal(exact.deliveries[0]?.message, sent)
    const annotated = wild.deliveries[0]?.message
    assert.ok(annotated instanceof EncodedMessage)
    assert.equal(annotated.bytes.length > sent.bytes.length, true)
    assert.equal(textOf(annotated), '1')
  })

  it('gives everybody all publications in one order, also those made while one is delivered', async () => {
    const sender = await connection.openSender({ address: 'a' })
    const answering = await open('a', 100, text => {
      if (text === '1') sender.send(message('2'))
    })
    const other = await open('a')
    sender.send(message('1'))
    assert.deepEqual(answering.texts(), ['1', '2'])
    assert.deepEqual(other.texts(), ['1', '2'])
  })

  it('drops non-durable messages for a receiver that is too slow, and says so now and then', async () => {
    const { deliveries, texts } = await open('a', 1)
    const sender = await connection.openSender({ address: 'a' })
    for (let i = 0; i < 200; i++) sender.send(fleeting(String(i)))
    const dropped = (): unknown[] =>
      bench.lines
        .filter(({ level }) => level === 'warn')
        .map(({ fields }) => (fields as { dropped: number }).dropped)
    assert.deepEqual(dropped(), [1, 10, 100])
    for (let i = 0; i < deliveries.length; i++) deliveries[i]?.settle(ACCEPTED)
    const taken = deliveries.length
    assert.ok(taken > 1 && taken < 100, String(taken))
    assert.deepEqual(
      texts(),
      Array.from({ length: taken }, (_, i) => String(i))
    )
    sender.send(fleeting('later'))
    assert.equal(texts().at(-1), 'later')
  })

  it('ends a receiver and a source that are too slow for durable messages, and stalls nobody', async () => {
    const slow = await receive(connection, 'a', { window: 1 })
    const source = await open('#', 1)
    const quick = await receive(connection, 'a', { accepting: true })
    for (let i = 0; i < 100; i++) assert.deepEqual(await send(connection, 'a', message(String(i))), ACCEPTED)
    for (const [closed] of [slow.closed, source.closed]) {
      assert.equal(closed?.cause, 'error')
      assert.equal(closed?.error?.condition, 'amqp:resource-limit-exceeded')
    }
    assert.equal(slow.closed.length + source.closed.length, 2)
    assert.equal(quick.deliveries.length, 100)
  })

  it('closes a source after everything that was accepted before was delivered', async () => {
    const { source, deliveries, texts } = await open('a', 1)
    for (const text of ['1', '2', '3']) await send(connection, 'a', message(text))
    let closed = false
    const closing = source.close().then(() => (closed = true))
    await send(connection, 'a', message('4'))
    assert.deepEqual(texts(), ['1'])
    for (let i = 0; i < 3; i++) {
      await turn()
      assert.equal(closed, i === 2, `after ${i + 1} deliveries`)
      deliveries[i]?.settle(ACCEPTED)
    }
    await closing
    assert.deepEqual(texts(), ['1', '2', '3'])
  })

  it('takes no topic with a wildcard, a NUL or nothing in it', async () => {
    for (const address of ['a/+', '#', 'a\0b', '']) {
      await assert.rejects(connection.openSender({ address }), { condition: 'amqp:not-allowed' })
    }
    const relay = await connection.openSender({ address: undefined })
    for (const to of ['a/+', '#', 'a\0b']) {
      const outcome = await new Promise<Outcome>(resolve =>
        relay.send(message('1', { properties: { to } }), resolve)
      )
      assert.ok(outcome.type === 'rejected' && outcome.condition === 'amqp:not-allowed', to)
    }
  })

  it('refuses filters that are none', async () => {
    for (const address of ['a/#/b', 'a+', '']) {
      const attempt = connection.openReceiver({ address, window: 1, onDelivery() {} })
      await assert.rejects(attempt, { condition: 'amqp:invalid-field' }, address)
    }
  })

  it('does not deliver what expired while it waited', async () => {
    const { deliveries, texts } = await open('a', 1)
    await send(connection, 'a', message('1'))
    await send(connection, 'a', message('2', { ttlMs: 500 }))
    await send(connection, 'a', message('3', { ttlMs: 5000 }))
    bench.now += 1000
    deliveries[0]?.settle(ACCEPTED)
    assert.deepEqual(texts(), ['1', '3'])
    assert.equal(deliveries[1]?.remainingMs(bench.now), 4000)
  })

  it('closes a receiver whose callback throws, with a line in the log, and the others get the message', async () => {
    const closed: LinkClosed[] = []
    await connection.openReceiver({
      address: 'a',
      window: 10,
      onDelivery: () => {
        throw new Error('a bug')
      },
      onClosed: cause => closed.push(cause)
    })
    const other = await receive(connection, 'a')
    assert.deepEqual(await send(connection, 'a', message('1')), ACCEPTED)
    assert.deepEqual(other.texts(), ['1'])
    assert.equal(closed[0]?.error?.condition, 'amqp:internal-error')
    assert.equal(bench.lines.filter(({ level }) => level === 'error').length, 1)
  })
})
