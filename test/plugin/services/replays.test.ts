// Replays of retained messages: slow receivers, filters and sessions that go, topics that change meanwhile, services that are killed.

import assert from 'node:assert/strict'
import type { AmqpConnection, Sender } from '../../../plugin/host.js'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { encodePublication } from '../../../plugin/messages/publish.js'
import { isReplayed } from '../../../plugin/messages/replay.js'
import type { Qos } from '../../../plugin/mqtt/packets.js'
import { RunningGateway, type GatewayOptions } from '../../fixtures/gateway.js'
import { Killable } from '../../fixtures/killable.js'
import { ReceivedPublications } from '../../fixtures/publications-of-a-queue.js'
import { ServiceClient } from '../../fixtures/service-client.js'

const TOPICS = 1000

describe('replays of retained messages', () => {
  const running: RunningGateway[] = []
  let amqp: AmqpConnection
  let sender: Sender

  async function start(options: GatewayOptions = {}): Promise<RunningGateway> {
    const on = running[0]?.space
    const gateway = await RunningGateway.start(on === undefined ? options : { on, ...options })
    running.push(gateway)
    return gateway
  }

  /** A host with these topics retained, and a service. */
  async function startWith(topics: number, options: GatewayOptions = {}): Promise<void> {
    const host = await start({ mqtt: undefined })
    amqp = await host.space.connect('service')
    sender = await amqp.openSender({ address: undefined })
    await start({ roles: ['subscription'], ...options })
    const names = Array.from({ length: topics }, (_, index) => `t/${index}`)
    for (let i = 0; i < names.length; i += 500)
      await Promise.all(names.slice(i, i + 500).map(topic => retain(topic, '0')))
  }

  afterEach(async () => {
    for (const gateway of running.splice(0).reverse()) {
      gateway.take('error')
      await gateway.stop()
    }
  })

  const retain = (topic: string, payload: string): Promise<unknown> =>
    new Promise(resolve => {
      const publication = { topic, payload: Buffer.from(payload), qos: 1, retain: true, dup: false } as const
      sender.send(encodePublication(publication), resolve)
    })

  const client = (clientId: string): ServiceClient => new ServiceClient(amqp, clientId, undefined)

  function subscribeTo(clientId: string, replayTo: string, ...filters: readonly string[]): Promise<string> {
    const granted = new Map<string, Qos>(filters.map(filter => [filter, 1]))
    const request = { type: 'subscribe', clientId, delivery: 'queue', partial: false } as const
    return client(clientId).request({ ...request, filters: granted, replayTo })
  }

  /** The marker is the last that comes. */
  function hasMarker({ deliveries }: ReceivedPublications): boolean {
    const last = deliveries.at(-1)
    return last !== undefined && isReplayed(last.message)
  }

  it('of many topics come whole to a receiver with a small window', async () => {
    await startWith(10_000)
    const slow = await ReceivedPublications.attach(amqp, undefined, 20)
    assert.equal(await subscribeTo('x', slow.address, '#'), 'accepted')
    await slow.until(() => hasMarker(slow), 'the end of the replay')
    assert.equal(slow.deliveries.length, 10_001)
    assert.equal(new Set(slow.texts).size, 10_001)
  })

  it('that nobody receives hold up no other one, and no request of their own client', async () => {
    await startWith(TOPICS)
    const stuck: ReceivedPublications[] = []
    for (let i = 0; i < 30; i++) {
      const receiver = await ReceivedPublications.attach(amqp, undefined, 0)
      stuck.push(receiver)
      assert.equal(await subscribeTo(`stuck-${i}`, receiver.address, '#'), 'accepted')
    }
    const [first] = stuck
    assert.ok(first !== undefined)
    assert.equal(await client('stuck-0').subscribe('another'), 'accepted')
    const other = await ReceivedPublications.attach(amqp, undefined, 20)
    await subscribeTo('other', other.address, '#')
    await other.until(() => hasMarker(other), 'the end of another replay')
    assert.equal(other.deliveries.length, TOPICS + 1)
    for (const receiver of stuck) assert.equal(receiver.deliveries.length, 0)
    // and go on where they were
    first.allow(TOPICS + 1)
    await first.until(() => hasMarker(first), 'the end of the replay that was stuck')
    assert.equal(new Set(first.texts).size, TOPICS + 1)
  })

  it('end with their marker where their filters are left, and without one where their session is gone', async () => {
    await startWith(TOPICS)
    const [left, gone] = [
      await ReceivedPublications.attach(amqp, undefined, 0),
      await ReceivedPublications.attach(amqp, undefined, 0)
    ]
    await subscribeTo('left', left.address, 't/+', 't/1')
    await subscribeTo('gone', gone.address, 't/+')
    assert.equal(await client('left').unsubscribe('t/+', 't/1'), 'accepted')
    assert.equal(await client('gone').close(), 'accepted')
    for (const receiver of [left, gone]) receiver.allow(TOPICS + 1)
    await left.until(() => hasMarker(left), 'the marker')
    await gone.drain()
    assert.ok(left.deliveries.length < TOPICS / 2, `${left.deliveries.length} copies`)
    assert.ok(gone.deliveries.length < TOPICS / 2, `${gone.deliveries.length} copies`)
    assert.equal(hasMarker(gone), false)
  })

  it('end where their receiver goes, and another one is as if nothing had been', async () => {
    await startWith(TOPICS)
    const lost = await ReceivedPublications.attach(amqp, undefined, 0)
    await subscribeTo('x', lost.address, '#')
    await lost.close()
    assert.equal(await subscribeTo('x', lost.address, '#'), 'accepted')
    const next = await ReceivedPublications.attach(amqp, undefined, 100)
    await subscribeTo('x', next.address, '#')
    await next.until(() => hasMarker(next), 'the end of the replay')
    assert.equal(next.deliveries.length, TOPICS + 1)
  })

  it('are refused over a number per client, and before anything is subscribed to', async () => {
    await startWith(TOPICS)
    const stuck = await ReceivedPublications.attach(amqp, undefined, 0)
    const outcomes = new Set<string>()
    for (let i = 0; i < 100; i++) outcomes.add(await subscribeTo('x', stuck.address, '#'))
    assert.deepEqual([...outcomes], ['accepted'])
    assert.equal(await subscribeTo('x', stuck.address, 'one/more'), 'amqp:resource-limit-exceeded')
    const routes = await running[0]?.space.routes.list(publishAddress('x'))
    assert.deepEqual(
      routes?.map(({ filter }) => filter),
      ['#']
    )
  })

  it('leave the newest of each topic as the last one in the queue, whatever changes meanwhile', async () => {
    await startWith(100)
    const last = new Map(Array.from({ length: 100 }, (_, index) => [`t/${index}`, '0']))
    let subscribing = true
    const publish = async (): Promise<void> => {
      for (let round = 1; subscribing; round++) {
        // one that never rests, and others now and then
        const topics = ['t/hot', ...Array.from({ length: 5 }, (_, i) => `t/${(round * 7 + i * 13) % 100}`)]
        await Promise.all(
          topics.map(topic => {
            last.set(topic, String(round))
            return retain(topic, String(round))
          })
        )
      }
    }
    const publishing = publish()
    const subscriber = client('x')
    for (let i = 0; i < 30; i++) assert.equal(await subscriber.subscribe('t/#'), 'accepted')
    // while the hot one goes on, the replays come to their end
    const store = await running[0]?.space.store('subscriptions')
    for (;;) {
      const { body } = (await store?.get('filter/x/t/#')) ?? {}
      if (body?.type === 'value' && body.value instanceof Map && !body.value.has('owed')) break
      await new Promise(setImmediate)
    }
    subscribing = false
    await publishing
    await retain('t/end', 'end')
    const received = await ReceivedPublications.attach(amqp, publishAddress('x'), 1000)
    const isEnd = (): boolean => received.deliveries.at(-1)?.message.properties.to === 't/end'
    await received.until(isEnd, 'all that was published')
    const seen = new Map(
      received.publications.map(({ topic, payload }) => [topic, Buffer.from(payload).toString()])
    )
    seen.delete('t/end')
    assert.deepEqual(new Map([...seen].sort()), new Map([...last].sort()))
  })

  it('into a queue come whole wherever the service is killed', async () => {
    let step = 0
    for (let killed = true; killed; step++) {
      const killable = new Killable()
      await startWith(20, { wrap: killable.wrap })
      await start({ roles: ['subscription'] })
      const subscriber = new ServiceClient(amqp, 'x', undefined, true)
      let done = 0
      killable.onStep = () => {
        if (done++ === step) killable.kill()
      }
      assert.equal(await subscriber.subscribe('t/#'), 'accepted')
      const received = await ReceivedPublications.attach(amqp, publishAddress('x'), 100)
      await received.until(() => new Set(received.texts).size >= 20, `all copies, killed at step ${step}`)
      await subscriber.end()
      killed = done > step
      for (const gateway of running.splice(0).reverse()) {
        gateway.take('error')
        await gateway.stop()
      }
    }
    assert.ok(step > 10, `${step} steps`)
  })
})
