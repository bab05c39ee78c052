// Messages that come again: an id that the plugin gives, or the application property of an AMQP client, is taken once at each address.
// Rule: a duplicate is accepted, and dropped, when the first is safe; what was refused was not taken.

import assert from 'node:assert/strict'
import type { AmqpValue, Message } from '../../plugin/host.js'
import type { ContractCase, ContractFixture } from './fixture.js'
import { ACCEPTED } from './inbox.js'
import { durable, text } from './messages.js'
import { Peer } from './peer.js'

const QUEUE = '$mqtt.to.c1.publish'
const OTHER = '$mqtt.to.c2.publish'
const PROPERTY = '_AMQ_DUPL_ID'

const ONE = { dedupId: Buffer.alloc(16, 1) }
const TWO = { dedupId: Buffer.alloc(16, 2) }

const withProperty = (body: string, id: AmqpValue, fields: Partial<Message> = {}): Message =>
  durable(body, { applicationProperties: new Map([[PROPERTY, id]]), ...fields })

/** A peer, and QUEUE with routes from these topics. */
async function routed(t: ContractFixture, ...topics: readonly string[]): Promise<Peer> {
  await t.space.queues.create(QUEUE)
  for (const filter of topics) await t.space.routes.add({ filter, queue: QUEUE })
  return Peer.open(t)
}

/** A message in AMQP bytes: application properties in wide encodings, and a body; no sender of ours writes it so. */
function encodedWithProperty(id: Buffer, body: string): Buffer {
  const wide = (code: number, bytes: Buffer): Buffer => {
    const head = Buffer.alloc(5)
    head[0] = code
    head.writeUInt32BE(bytes.length, 1)
    return Buffer.concat([head, bytes])
  }
  const pairs = Buffer.concat([wide(0xb1, Buffer.from(PROPERTY)), wide(0xb0, id)])
  const count = Buffer.of(0, 0, 0, 2)
  const header = Buffer.from('005370c0020141', 'hex')
  const properties = Buffer.concat([
    Buffer.from('00800000000000000074', 'hex'),
    wide(0xd1, Buffer.concat([count, pairs]))
  ])
  return Buffer.concat([header, properties, Buffer.from('005375', 'hex'), wide(0xb0, Buffer.from(body))])
}

export const duplicateIds: readonly ContractCase[] = [
  {
    title: 'takes a message with a dedup id once, also over a restart',
    part: 'duplicate-ids',
    requires: 'durableDedup',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const before = await (await Peer.open(t)).sender(QUEUE)
      assert.deepEqual(await before.send(durable('1'), ONE), ACCEPTED)
      assert.deepEqual(await before.send(durable('1 again'), ONE), ACCEPTED)
      await t.restart()
      const peer = await Peer.open(t)
      const after = await peer.sender(QUEUE)
      assert.deepEqual(await after.send(durable('1 after'), ONE), ACCEPTED)
      assert.deepEqual(await after.send(durable('2'), TWO), ACCEPTED)
      await after.accepted(durable('3'))
      assert.deepEqual(await peer.empty(QUEUE), ['1', '2', '3'])
    }
  },
  {
    title: 'takes a publication with a dedup id once, for subscriptions and queues, by any link',
    part: 'duplicate-ids',
    requires: 'durableDedup',
    async run(t) {
      const peer = await routed(t, 'a')
      const { inbox } = await peer.receive('a', { accepting: true })
      const [one, two] = [await peer.sender('a'), await (await Peer.open(t)).sender('a')]
      for (const outlet of [one, two, one]) assert.deepEqual(await outlet.send(durable('1'), ONE), ACCEPTED)
      assert.deepEqual(await two.send(text('2'), TWO), ACCEPTED)
      assert.deepEqual(await one.send(text('2'), TWO), ACCEPTED)
      assert.deepEqual(await one.send(text('3')), ACCEPTED)
      assert.deepEqual(await inbox.texts(3), ['1', '2', '3'])
      assert.deepEqual(await peer.empty(QUEUE), ['1', '2', '3'])
    }
  },
  {
    title: 'takes a dedup id again at another address, and copies of a route whatever their ids are',
    part: 'duplicate-ids',
    requires: 'durableDedup',
    async run(t) {
      const peer = await routed(t, 'a', 'b')
      const user = await Peer.open(t, 'full')
      for (const topic of ['a', 'b', 'a']) await (await peer.sender(topic)).send(durable(topic), ONE)
      await (await peer.sender(QUEUE)).send(durable('queue'), ONE)
      for (const topic of ['a', 'b', 'a']) {
        await (await user.sender(topic)).accepted(withProperty(`user ${topic}`, 'same'))
      }
      assert.deepEqual(await peer.empty(QUEUE), ['a', 'b', 'queue', 'user a', 'user b'])
    }
  },
  {
    title: 'takes a dedup id again in a queue that is made again',
    part: 'duplicate-ids',
    requires: 'durableDedup',
    async run(t) {
      const peer = await routed(t)
      await (await peer.sender(QUEUE)).send(durable('1'), ONE)
      await t.space.queues.delete(QUEUE)
      await t.space.queues.create(QUEUE)
      await (await peer.sender(QUEUE)).send(durable('2'), ONE)
      assert.deepEqual(await peer.empty(QUEUE), ['2'])
    }
  },
  {
    title:
      'takes the property _AMQ_DUPL_ID of a client for an id, a string or binary, and leaves it where it is',
    part: 'duplicate-ids',
    requires: 'durableDedup',
    async run(t) {
      const peer = await routed(t, 'a')
      const user = await Peer.open(t, 'full')
      const sender = await user.sender('a')
      const bytes = Buffer.from([0, 255, 1])
      const ids: AmqpValue[] = ['one', bytes, 'one', bytes, 'two', 'öne', '', '', 7, 7]
      for (const [i, id] of ids.entries()) await sender.accepted(withProperty(String(i), id))
      await (await user.sender(t.queue)).accepted(withProperty('1', 'one'), withProperty('2', 'one'))
      const { inbox } = await peer.receive(QUEUE)
      const got = await inbox.take(8)
      assert.deepEqual(
        got.map(({ message }) => [textOf(message), message.applicationProperties.get(PROPERTY)]),
        [0, 1, 4, 5, 6, 7, 8, 9].map(i => [String(i), i === 1 ? got[1]?.message && bytes : ids[i]])
      )
      assert.deepEqual(await peer.empty(t.queue), ['1'])
    }
  },
  {
    title: 'reads the property _AMQ_DUPL_ID in whatever encoding it comes',
    part: 'duplicate-ids',
    requires: 'codec',
    async run(t) {
      if (!t.space.capabilities.durableDedup) return
      const peer = await routed(t, 'a')
      const sender = await (await Peer.open(t, 'full')).sender('a')
      const id = Buffer.from('one')
      for (const body of ['1', '2']) {
        const message = t.codec?.decode(encodedWithProperty(id, body))
        assert.ok(message)
        await sender.accepted(message)
      }
      await sender.accepted(withProperty('3', id), withProperty('4', Buffer.from('two')))
      assert.deepEqual(await peer.empty(QUEUE), ['1', '4'])
    }
  },
  {
    title: 'takes no property of what the plugin sends for an id: it may hand on what was taken before',
    part: 'duplicate-ids',
    requires: 'durableDedup',
    async run(t) {
      const peer = await routed(t, 'a')
      for (const address of ['a', QUEUE, QUEUE]) {
        await (await peer.sender(address)).accepted(withProperty(address, 'same'))
      }
      assert.deepEqual(await peer.empty(QUEUE), ['a', QUEUE, QUEUE])
    }
  },
  {
    title: 'has not taken the id of a message that it refused',
    part: 'duplicate-ids',
    requires: 'durableDedup',
    async run(t) {
      if (!t.space.capabilities.relay) return
      const peer = await routed(t, 'a', 'allowed/a')
      const limited = await (await Peer.open(t, 'limited')).sender(undefined)
      const to = (topic: string, body: string): Message =>
        withProperty(body, 'same', { properties: { to: topic } })
      assert.equal((await limited.send(to('a', 'refused'))).type, 'rejected')
      assert.equal((await limited.send(to('a/#', 'refused'))).type, 'rejected')
      await limited.accepted(to('allowed/a', '1'), to('allowed/a', 'dropped'))
      const full = await (await Peer.open(t, 'full')).sender(undefined)
      await full.accepted(to('a', '2'), to('a', 'dropped'), to('allowed/a', 'dropped'))
      assert.deepEqual(await peer.empty(QUEUE), ['1', '2'])
    }
  },
  {
    title: 'has the id on disk when a durable message is accepted, also where nobody received it',
    part: 'duplicate-ids',
    requires: 'crash',
    async run(t) {
      if (!t.space.capabilities.durableDedup) return
      await t.space.queues.create(QUEUE)
      const before = await Peer.open(t)
      await (await before.sender(QUEUE)).send(durable('1'), ONE)
      await (await before.sender('a')).send(durable('nobody'), ONE)
      assert.ok(t.crash)
      await t.crash()
      const peer = await routed(t, 'a')
      await (await peer.sender(QUEUE)).send(durable('1 again'), ONE)
      const publisher = await peer.sender('a')
      assert.deepEqual(await publisher.send(durable('again'), ONE), ACCEPTED)
      await publisher.send(durable('2'), TWO)
      assert.deepEqual(await peer.empty(QUEUE), ['1', '2'])
    }
  },
  {
    title: 'accepts a duplicate that comes behind the first only when the first is safe',
    part: 'duplicate-ids',
    requires: 'crash',
    async run(t) {
      if (!t.space.capabilities.durableDedup) return
      const before = await routed(t, 'a')
      const [one, two] = [await before.sender('a'), await before.sender('a')]
      // both know that they have credit
      await Promise.all([one.credit(), two.credit()])
      const first = one.startNow(durable('1'), ONE)
      const second = two.startNow(durable('1'), ONE)
      assert.deepEqual(await second.outcome(), ACCEPTED)
      assert.ok(t.crash)
      await t.crash()
      assert.ok(first.outcomes.length <= 1)
      const peer = await Peer.open(t)
      await (await peer.sender('a')).send(durable('1'), ONE)
      assert.deepEqual(await peer.empty(QUEUE), ['1'])
    }
  },
  {
    title: 'takes a message under its id after a crash where it was lost, and only there',
    part: 'duplicate-ids',
    requires: 'crash',
    async run(t) {
      if (!t.space.capabilities.durableDedup) return
      const before = await routed(t, 'a')
      const publisher = await before.sender('a')
      const ids = Array.from({ length: 60 }, (_, i) => ({ dedupId: Buffer.of(i, 0) }))
      const sent = []
      for (const [i, id] of ids.entries()) sent.push(await publisher.start(durable(String(i)), id))
      await sent[0]?.outcome()
      assert.ok(t.crash)
      await t.crash()
      const peer = await Peer.open(t)
      const again = await peer.sender('a')
      for (const [i, id] of ids.entries())
        assert.deepEqual(await again.send(durable(String(i)), id), ACCEPTED)
      assert.deepEqual(
        await peer.empty(QUEUE),
        ids.map((_, i) => String(i))
      )
    }
  },
  {
    title: 'counts a message that a full queue dropped as taken',
    part: 'duplicate-ids',
    requires: 'durableDedup',
    async run(t) {
      const peer = await routed(t, 'a')
      await t.space.queues.create(OTHER)
      await t.space.routes.add({ filter: 'a', queue: OTHER })
      await t.space.queues.limit(QUEUE, { maxMessages: 0, maxBytes: 1e9 })
      const sender = await peer.sender('a')
      await sender.send(durable('1'), ONE)
      await t.space.queues.limit(QUEUE, { maxMessages: 10, maxBytes: 1e9 })
      await sender.send(durable('1 again'), ONE)
      await sender.send(durable('2'), TWO)
      assert.deepEqual([await peer.empty(QUEUE), await peer.empty(OTHER)], [['2'], ['1', '2']])
    }
  }
]

const textOf = ({ body }: Message): string =>
  body.type === 'data' ? Buffer.concat(body.sections).toString() : body.type
