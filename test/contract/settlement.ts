// Outcomes that a receiver gives: what each does to the message, its order, its delivery-count and its identity.
// Rule: unsettled is not lost: it comes again, in its old place.

import assert from 'node:assert/strict'
import type { Delivery, Outcome } from '../../plugin/host.js'
import type { ContractCase, ContractFixture } from './fixture.js'
import { ACCEPTED, FAILED, REJECTED, RELEASED, textOf } from './inbox.js'
import { durable, numbers, series } from './messages.js'
import { Peer } from './peer.js'

const QUEUE = '$mqtt.to.c1.publish'

/** A queue with `count` messages. */
async function filled(t: ContractFixture, count: number): Promise<Peer> {
  const peer = await Peer.open(t)
  await t.space.queues.create(QUEUE)
  await (await peer.sender(QUEUE)).accepted(...series(count))
  return peer
}

const bodies = (deliveries: readonly Delivery[]): string[] =>
  deliveries.map(each => textOf(each.message.body))
const counts = (deliveries: readonly Delivery[]): number[] => deliveries.map(each => each.deliveryCount)

/** The first of two messages gets `outcome` at once; gives what is delivered after it. */
async function afterFirst(t: ContractFixture, outcome: Outcome): Promise<Delivery> {
  const peer = await filled(t, 2)
  const { inbox } = await peer.receive(QUEUE, { window: 1 })
  const first = await inbox.next()
  assert.equal(first.deliveryCount, 0)
  first.settle(outcome)
  const second = await inbox.next()
  if (textOf(second.message.body) === '1') assert.equal(second.id, first.id)
  return second
}

export const settlement: readonly ContractCase[] = [
  {
    title: 'takes an accepted message out of its queue',
    part: 'settlement',
    async run(t) {
      const next = await afterFirst(t, ACCEPTED)
      assert.equal(textOf(next.message.body), '2')
      next.settle(ACCEPTED)
      assert.deepEqual(await (await Peer.open(t)).empty(QUEUE), [])
    }
  },
  {
    title: 'does not deliver a rejected message again',
    part: 'settlement',
    async run(t) {
      const next = await afterFirst(t, REJECTED)
      assert.equal(textOf(next.message.body), '2')
      next.settle(REJECTED)
      assert.deepEqual(await (await Peer.open(t)).empty(QUEUE), [])
    }
  },
  {
    title: 'delivers a released message again, ahead of later ones, with the same count and id',
    part: 'settlement',
    async run(t) {
      const next = await afterFirst(t, RELEASED)
      assert.equal(textOf(next.message.body), '1')
      assert.equal(next.deliveryCount, 0)
    }
  },
  {
    title: 'counts a delivery that failed, and delivers it again ahead of later ones',
    part: 'settlement',
    async run(t) {
      const next = await afterFirst(t, FAILED)
      assert.equal(textOf(next.message.body), '1')
      assert.equal(next.deliveryCount, 1)
    }
  },
  {
    title: 'does not count a modified delivery that did not fail',
    part: 'settlement',
    async run(t) {
      const modified: Outcome = { type: 'modified', deliveryFailed: false, undeliverableHere: false }
      const next = await afterFirst(t, modified)
      assert.equal(textOf(next.message.body), '1')
      assert.equal(next.deliveryCount, 0)
    }
  },
  {
    title: 'adds failed deliveries to the count that the sender wrote',
    part: 'settlement',
    async run(t) {
      const peer = await filled(t, 0)
      await (await peer.sender(QUEUE)).accepted(durable('x', { deliveryCount: 3 }))
      const { inbox } = await peer.receive(QUEUE)
      for (const expected of [3, 4, 5]) {
        const delivery = await inbox.next()
        assert.equal(delivery.deliveryCount, expected)
        assert.equal(delivery.message.deliveryCount, 3)
        delivery.settle(FAILED)
      }
    }
  },
  {
    title: 'gives what is undeliverable at one receiver to another alone',
    part: 'settlement',
    async run(t) {
      const peer = await filled(t, 1)
      const one = await peer.receive(QUEUE, { window: 1 })
      const first = await one.inbox.next()
      first.settle({ type: 'modified', deliveryFailed: true, undeliverableHere: true })
      await (await peer.sender(QUEUE)).accepted(durable('2'))
      assert.deepEqual(bodies([await one.inbox.next()]), ['2'])
      const two = await peer.receive(QUEUE, { window: 1 })
      const again = await two.inbox.next()
      assert.deepEqual([bodies([again]), again.deliveryCount], [['1'], 1])
    }
  },
  {
    title: 'puts messages that are released in any order back into their old order',
    part: 'settlement',
    async run(t) {
      const peer = await filled(t, 6)
      const one = await peer.receive(QUEUE, { window: 4 })
      const held = await one.inbox.take(4)
      const two = await peer.receive(QUEUE, { window: 0 })
      for (const index of [2, 0, 3, 1]) held[index]?.settle(RELEASED)
      await one.receiver.close()
      two.receiver.addCredit(6)
      const again = await two.inbox.take(6)
      assert.deepEqual(bodies(again), numbers(6))
      assert.deepEqual(counts(again), [0, 0, 0, 0, 0, 0])
    }
  },
  {
    title: 'puts failed messages back into their old order',
    part: 'settlement',
    async run(t) {
      const peer = await filled(t, 4)
      const one = await peer.receive(QUEUE, { window: 0 })
      one.receiver.addCredit(3)
      for (const delivery of (await one.inbox.take(3)).reverse()) delivery.settle(FAILED)
      const two = await peer.receive(QUEUE)
      const again = await two.inbox.take(4)
      assert.deepEqual(bodies(again), numbers(4))
      assert.deepEqual(counts(again), [1, 1, 1, 0])
    }
  },
  {
    title: 'takes the first outcome of a delivery and no later one',
    part: 'settlement',
    async run(t) {
      const peer = await filled(t, 3)
      const { inbox, receiver } = await peer.receive(QUEUE, { window: 2 })
      const [first, second] = await inbox.take(2)
      first?.settle(ACCEPTED)
      first?.settle(RELEASED)
      second?.settle(RELEASED)
      second?.settle(ACCEPTED)
      assert.deepEqual(bodies(await inbox.take(2)).sort(), ['2', '3'])
      await (await peer.sender(QUEUE)).accepted(durable('last'))
      await receiver.close()
      assert.deepEqual(await peer.empty(QUEUE), ['2', '3', 'last'])
    }
  },
  {
    title: 'keeps what was not settled when a receiver closes, in order, with the same count and ids',
    part: 'settlement',
    async run(t) {
      const peer = await filled(t, 5)
      const one = await peer.receive(QUEUE, { window: 3 })
      const held = await one.inbox.take(3)
      held[1]?.settle(ACCEPTED)
      await one.inbox.next()
      await one.receiver.close()
      const two = await peer.receive(QUEUE)
      const again = await two.inbox.take(4)
      assert.deepEqual(bodies(again), ['1', '3', '4', '5'])
      assert.deepEqual(counts(again), [0, 0, 0, 0])
      assert.deepEqual([again[0]?.id, again[1]?.id], [held[0]?.id, held[2]?.id])
    }
  },
  {
    title: 'does nothing with an outcome that comes after the receiver closed',
    part: 'settlement',
    async run(t) {
      const peer = await filled(t, 2)
      const { inbox, receiver } = await peer.receive(QUEUE)
      const held = await inbox.take(2)
      await receiver.close()
      for (const delivery of held) delivery.settle(ACCEPTED)
      assert.deepEqual(await peer.empty(QUEUE), ['1', '2'])
    }
  },
  {
    title: 'keeps what was not settled when a connection closes, with the same count',
    part: 'settlement',
    async run(t) {
      await filled(t, 2)
      const leaving = await Peer.open(t)
      const { inbox } = await leaving.receive(QUEUE)
      await inbox.take(2)
      await leaving.close()
      const { inbox: next } = await (await Peer.open(t)).receive(QUEUE)
      const again = await next.take(2)
      assert.deepEqual(
        [bodies(again), counts(again)],
        [
          ['1', '2'],
          [0, 0]
        ]
      )
    }
  },
  {
    title: 'counts as failed what was delivered and not settled when a connection is lost',
    part: 'settlement',
    async run(t) {
      const peer = await filled(t, 4)
      const vanishing = await Peer.open(t)
      const one = await vanishing.receive(QUEUE, { window: 2 })
      const held = await one.inbox.take(2)
      await t.lose(vanishing.connection)
      const two = await peer.receive(QUEUE)
      const again = await two.inbox.take(4)
      assert.deepEqual(bodies(again), numbers(4))
      assert.deepEqual(counts(again), [1, 1, 0, 0])
      assert.deepEqual([again[0]?.id, again[1]?.id], [held[0]?.id, held[1]?.id])
    }
  },
  {
    title: 'gives different messages different ids, even where they are equal',
    part: 'settlement',
    async run(t) {
      const peer = await filled(t, 0)
      await (await peer.sender(QUEUE)).accepted(...Array.from({ length: 20 }, () => durable('same')))
      const { inbox } = await peer.receive(QUEUE)
      const ids = (await inbox.take(20)).map(delivery => delivery.id)
      const known = ids.filter(id => id !== undefined)
      assert.ok(known.length === 0 || known.length === 20, 'some deliveries have an id, some have none')
      assert.equal(new Set(known).size, known.length)
    }
  },
  {
    title: 'settles deliveries in any order',
    part: 'settlement',
    async run(t) {
      const peer = await filled(t, 10)
      const { inbox, receiver } = await peer.receive(QUEUE)
      const held = await inbox.take(10)
      for (const index of [9, 0, 5, 7, 2]) held[index]?.settle(ACCEPTED)
      await receiver.close()
      assert.deepEqual(await peer.empty(QUEUE), ['2', '4', '5', '7', '9'])
    }
  },
  {
    title: 'takes outcomes of a subscription: a released publication comes again',
    part: 'settlement',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox } = await peer.receive('a', { kind: 'topic', window: 1 })
      await (await peer.sender('a')).accepted(...series(2))
      ;(await inbox.next()).settle(RELEASED)
      assert.deepEqual(await inbox.texts(2), ['1', '2'])
    }
  }
]
