// Credit: what a sender may send, and what a receiver gets at once.
// Rule: nobody is given more than it made room for, and what was not given is there for others.

import assert from 'node:assert/strict'
import type { ContractCase } from './fixture.js'
import { ACCEPTED, RELEASED } from './inbox.js'
import { durable, numbers, series, text } from './messages.js'
import { Peer } from './peer.js'
import type { Sent } from './peer.js'

const QUEUE = '$mqtt.to.c1.publish'
/** more than any host takes without an outcome */
const MANY = 20_000

export const credit: readonly ContractCase[] = [
  {
    title: 'takes no message without credit, says so with a RangeError, and gives credit again',
    part: 'credit',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      const sender = await peer.sender(QUEUE)
      await sender.credit()
      const sent: Sent[] = []
      while (sender.link.credit > 0 && sent.length < MANY) sent.push(sender.startNow(durable('x')))
      assert.ok(sent.length < MANY, `credit did not end within ${MANY} durable messages without an outcome`)
      assert.equal(sender.link.credit, 0)
      assert.throws(() => sender.link.send(durable('too many')), RangeError)
      await sender.credit()
      for (const each of sent) assert.deepEqual(await each.outcome(), ACCEPTED)
      await sender.accepted(durable('last'))
      const { inbox } = await peer.receive(QUEUE, { accepting: true })
      const texts = await inbox.texts(sent.length + 1)
      assert.equal(texts.pop(), 'last')
      assert.ok(texts.every(each => each === 'x'))
    }
  },
  {
    title: 'lets one send with credit and each lowers it by one until its outcome',
    part: 'credit',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      const sender = await peer.sender(QUEUE)
      const before = await sender.credit()
      const sent = sender.startNow(durable('x'))
      if (sent.outcomes.length === 0) assert.ok(sender.link.credit < before, 'credit was not used up')
      assert.deepEqual(await sent.outcome(), ACCEPTED)
      assert.equal(sent.outcomes.length, 1)
    }
  },
  {
    title: 'has no more deliveries unsettled than the window of a receiver of a queue',
    part: 'credit',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await (await peer.sender(QUEUE)).accepted(...series(30))
      const small = await peer.receive(QUEUE, { window: 3 })
      const [first] = await small.inbox.take(3)
      const large = await peer.receive(QUEUE, { window: 100 })
      assert.deepEqual(await large.inbox.texts(27), numbers(30).slice(3))
      await large.receiver.close()
      first?.settle(ACCEPTED)
      await (await peer.sender(QUEUE)).accepted(durable('31'), durable('32'))
      const next = await peer.receive(QUEUE)
      assert.deepEqual(await next.inbox.texts(1), ['32'])
      assert.deepEqual(await small.inbox.texts(1), ['31'])
      assert.equal(small.inbox.mostUnsettled, 3)
    }
  },
  {
    title:
      'has no more deliveries unsettled than the window of a subscription, and refills it as they are settled',
    part: 'credit',
    async run(t) {
      const peer = await Peer.open(t)
      const narrow = await peer.receive('a', { kind: 'topic', window: 4 })
      const wide = await peer.receive('a', { kind: 'topic', window: 100 })
      await (await peer.sender('a')).accepted(...series(40))
      await wide.inbox.texts(40)
      assert.deepEqual(await narrow.inbox.texts(40), numbers(40))
      assert.equal(narrow.inbox.mostUnsettled, 4)
    }
  },
  {
    title: 'does not make more room when a delivery is settled twice',
    part: 'credit',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      const sender = await peer.sender(QUEUE)
      const { inbox } = await peer.receive(QUEUE, { window: 1 })
      await sender.accepted(...series(1))
      const first = await inbox.next()
      first.settle(ACCEPTED)
      first.settle(ACCEPTED)
      await sender.accepted(durable('2'), durable('3'), durable('4'))
      const other = await peer.receive(QUEUE)
      assert.deepEqual(await other.inbox.texts(2), ['3', '4'])
      assert.deepEqual(await inbox.texts(1), ['2'])
    }
  },
  {
    title: 'gives a receiver without a window only what it asked for',
    part: 'credit',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await (await peer.sender(QUEUE)).accepted(...series(10))
      const { inbox, receiver } = await peer.receive(QUEUE, { window: 0 })
      const other = await peer.receive(QUEUE, { window: 1 })
      assert.deepEqual(await other.inbox.texts(1), ['1'])
      const held = await other.inbox.next()
      receiver.addCredit(2)
      const [third, fourth] = await inbox.take(2)
      third?.settle(ACCEPTED)
      fourth?.settle(ACCEPTED)
      held.settle(ACCEPTED)
      assert.deepEqual(await other.inbox.texts(6), numbers(10).slice(4))
      assert.deepEqual(inbox.all, ['3', '4'])
    }
  },
  {
    title: 'gives a subscription without a window what it asked for, later',
    part: 'credit',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox, receiver } = await peer.receive('a', { kind: 'topic', window: 0 })
      await (await peer.sender('a')).accepted(...series(3))
      assert.deepEqual(inbox.all, [])
      receiver.addCredit(1)
      assert.deepEqual(await inbox.texts(1), ['1'])
      receiver.addCredit(2)
      assert.deepEqual(await inbox.texts(2), ['2', '3'])
    }
  },
  {
    title: 'adds credit to what a window gives',
    part: 'credit',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await (await peer.sender(QUEUE)).accepted(...series(10))
      const { inbox, receiver } = await peer.receive(QUEUE, { window: 1 })
      await inbox.next()
      receiver.addCredit(2)
      await inbox.take(2)
      const other = await peer.receive(QUEUE)
      assert.deepEqual(await other.inbox.texts(7), numbers(10).slice(3))
      assert.equal(inbox.mostUnsettled, 3)
    }
  },
  {
    title: 'has delivered all that was there when drain resolves',
    part: 'credit',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await (await peer.sender(QUEUE)).accepted(...series(50))
      const { inbox, receiver } = await peer.receive(QUEUE, { window: 0 })
      receiver.addCredit(100)
      await receiver.drain()
      assert.deepEqual(inbox.all, numbers(50))
    }
  },
  {
    title: 'takes back the credit that a drain left',
    part: 'credit',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      const sender = await peer.sender(QUEUE)
      await sender.accepted(durable('1'))
      const { inbox, receiver } = await peer.receive(QUEUE, { window: 0, accepting: true })
      receiver.addCredit(10)
      await receiver.drain()
      await sender.accepted(durable('2'))
      const other = await peer.receive(QUEUE)
      assert.deepEqual(await other.inbox.texts(1), ['2'])
      await other.receiver.close()
      receiver.addCredit(1)
      await sender.accepted(durable('3'), durable('4'))
      const third = await peer.receive(QUEUE)
      assert.deepEqual(await third.inbox.texts(1), ['4'])
      await inbox.take(2)
      assert.deepEqual(inbox.all, ['1', '3'])
    }
  },
  {
    title: 'drains with less credit than messages, and with none there',
    part: 'credit',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      const { inbox, receiver } = await peer.receive(QUEUE, { window: 0 })
      await receiver.drain()
      receiver.addCredit(5)
      await receiver.drain()
      assert.deepEqual(inbox.all, [])
      await (await peer.sender(QUEUE)).accepted(...series(5))
      receiver.addCredit(3)
      await receiver.drain()
      assert.deepEqual(inbox.all, ['1', '2', '3'])
    }
  },
  {
    title: 'drains a subscription',
    part: 'credit',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox, receiver } = await peer.receive('a', { kind: 'topic', window: 0 })
      const sender = await peer.sender('a')
      await sender.accepted(text('1'), text('2'))
      receiver.addCredit(10)
      await receiver.drain()
      assert.deepEqual(inbox.all, ['1', '2'])
      await sender.accepted(text('3'))
      receiver.addCredit(1)
      assert.deepEqual((await inbox.take(3)).length, 3)
    }
  },
  {
    title: 'gives what one receiver released to another that has room',
    part: 'credit',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await (await peer.sender(QUEUE)).accepted(...series(1))
      const one = await peer.receive(QUEUE, { window: 0 })
      one.receiver.addCredit(1)
      const delivery = await one.inbox.next()
      const two = await peer.receive(QUEUE, { window: 1 })
      delivery.settle(RELEASED)
      assert.deepEqual(await two.inbox.texts(1), ['1'])
    }
  }
]
