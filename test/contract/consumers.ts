// Those who receive from a queue: competing, alone, closed by the plugin, or only looking.
// Rule: each message is with one consumer at a time, and a browser takes nothing.

import assert from 'node:assert/strict'
import type { ContractCase } from './fixture.js'
import { ACCEPTED, textOf } from './inbox.js'
import { durable, numbers, series } from './messages.js'
import { Peer, refused } from './peer.js'

const QUEUE = '$mqtt.to.c1.publish'
const OTHER = '$mqtt.to.c2.publish'

export const consumers: readonly ContractCase[] = [
  {
    title: 'shares a queue among competing consumers, each message to one of them',
    part: 'queues',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      const one = await peer.receive(QUEUE, { window: 2 })
      const two = await (await Peer.open(t)).receive(QUEUE, { window: 2 })
      await (await peer.sender(QUEUE)).accepted(...series(4))
      const held = [...(await one.inbox.take(2)), ...(await two.inbox.take(2))]
      assert.deepEqual(held.map(each => textOf(each.message.body)).sort(), numbers(4))
      for (const delivery of held) delivery.settle(ACCEPTED)
      await one.receiver.close()
      await two.receiver.close()
      assert.deepEqual(await peer.empty(QUEUE), [])
    }
  },
  {
    title: 'gives a consumer with room what another has no room for',
    part: 'queues',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      const stuck = await peer.receive(QUEUE, { window: 1 })
      await (await peer.sender(QUEUE)).accepted(...series(10))
      await stuck.inbox.next()
      const quick = await peer.receive(QUEUE, { window: 1 })
      assert.deepEqual(await quick.inbox.texts(9), numbers(10).slice(1))
    }
  },
  {
    title: 'keeps others out while there is an exclusive consumer, and lets them in when it closed',
    part: 'queues',
    async run(t) {
      const [one, two] = [await Peer.open(t), await Peer.open(t)]
      await t.space.queues.create(QUEUE)
      const { inbox, receiver } = await one.receive(QUEUE, { exclusive: true })
      await refused(two.receive(QUEUE), 'amqp:resource-locked', 'a second consumer')
      await refused(two.receive(QUEUE, { exclusive: true }), 'amqp:resource-locked', 'a second exclusive one')
      await refused(one.receive(QUEUE), 'amqp:resource-locked', 'one of the same connection')
      await (await two.sender(QUEUE)).accepted(durable('1'))
      assert.deepEqual(await inbox.texts(1), ['1'])
      await receiver.close()
      const next = await two.receive(QUEUE, { exclusive: true })
      await (await one.sender(QUEUE)).accepted(durable('2'))
      assert.deepEqual(await next.inbox.texts(1), ['2'])
    }
  },
  {
    title: 'refuses an exclusive consumer while there is another',
    part: 'queues',
    async run(t) {
      const [one, two] = [await Peer.open(t), await Peer.open(t)]
      await t.space.queues.create(QUEUE)
      const { receiver } = await one.receive(QUEUE)
      await refused(two.receive(QUEUE, { exclusive: true }), 'amqp:resource-locked', 'an exclusive consumer')
      await receiver.close()
      await two.receive(QUEUE, { exclusive: true })
    }
  },
  {
    title: 'frees an exclusive queue when the connection of its consumer is lost',
    part: 'queues',
    async run(t) {
      const [one, two] = [await Peer.open(t), await Peer.open(t)]
      await t.space.queues.create(QUEUE)
      await one.receive(QUEUE, { exclusive: true })
      await t.lose(one.connection)
      await two.receive(QUEUE, { exclusive: true })
    }
  },
  {
    title: 'closes the consumers of a queue on request; what they held is there for the next, in order',
    part: 'queues',
    async run(t) {
      const [one, two] = [await Peer.open(t), await Peer.open(t)]
      await t.space.queues.create(QUEUE)
      await (await one.sender(QUEUE)).accepted(...series(6))
      const old = await one.receive(QUEUE, { exclusive: true, window: 4 })
      const held = await old.inbox.take(4)
      held[1]?.settle(ACCEPTED)
      await old.inbox.next()
      await t.space.queues.closeConsumers(QUEUE)
      const next = await two.receive(QUEUE, { exclusive: true })
      const { cause, error } = await old.inbox.closed()
      assert.deepEqual([cause, error?.condition], ['error', 'amqp:resource-deleted'])
      held[0]?.settle(ACCEPTED)
      assert.deepEqual(await next.inbox.texts(5), ['1', '3', '4', '5', '6'])
      assert.equal(old.inbox.closings, 1)
    }
  },
  {
    title: 'closes consumers where there are none, and those of no other queue',
    part: 'queues',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await t.space.queues.create(OTHER)
      const { inbox } = await peer.receive(OTHER)
      await t.space.queues.closeConsumers(QUEUE)
      await (await peer.sender(OTHER)).accepted(durable('1'))
      assert.deepEqual(await inbox.texts(1), ['1'])
      assert.equal(inbox.closings, 0)
    }
  },
  {
    title: 'shows a browser what is there, in order, and leaves it',
    part: 'queues',
    requires: 'browse',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await (await peer.sender(QUEUE)).accepted(...series(30))
      for (const window of [0, 7]) {
        const { inbox, receiver } = await peer.receive(QUEUE, { browse: true, window, accepting: true })
        if (window === 0) receiver.addCredit(100)
        else await inbox.take(30)
        await receiver.drain()
        assert.deepEqual(inbox.all, numbers(30))
        await receiver.close()
      }
      const { inbox } = await peer.receive(QUEUE)
      const deliveries = await inbox.take(30)
      assert.deepEqual(inbox.all, numbers(30))
      assert.ok(deliveries.every(each => each.deliveryCount === 0))
    }
  },
  {
    title: 'drains a browser of an empty queue',
    part: 'queues',
    requires: 'browse',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      const { inbox, receiver } = await peer.receive(QUEUE, { browse: true, window: 0 })
      receiver.addCredit(10)
      await receiver.drain()
      assert.deepEqual(inbox.all, [])
    }
  },
  {
    title: 'shows the same id to a browser and to a consumer',
    part: 'queues',
    requires: 'browse',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await (await peer.sender(QUEUE)).accepted(...series(3))
      const ids = async (browse: boolean): Promise<(string | undefined)[]> => {
        const { inbox, receiver } = await peer.receive(QUEUE, { browse })
        const deliveries = await inbox.take(3)
        await receiver.close()
        return deliveries.map(each => each.id)
      }
      assert.deepEqual(await ids(true), await ids(false))
    }
  }
]
